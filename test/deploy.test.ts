/** What Holdback is deployed with: manifests that Kubernetes' own schemas take, and containers that are let do nothing they need not. */
import { readdirSync, readFileSync } from 'node:fs';
import { Deployment } from 'kubernetes-models/apps/v1';
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { Service } from 'kubernetes-models/v1';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { engineOptions } from '../cli/service.ts';
import { readConfig } from '../server/config.ts';

const root = new URL('../', import.meta.url);
const textOf = (path: string) => readFileSync(new URL(path, root), 'utf8');

const manifests = readdirSync(new URL('deploy/kubernetes/', root)).flatMap((file) =>
  parseAllDocuments(textOf(`deploy/kubernetes/${file}`), { strict: true, uniqueKeys: true }).map(
    (document) => {
      expect(document.errors, file).toEqual([]);
      const { kind, metadata } = z
        .object({ kind: z.string(), metadata: z.object({ name: z.string() }) })
        .parse(document.toJS());
      return { id: `${file}: ${kind} ${metadata.name}`, kind, content: document.toJS() };
    },
  ),
);
const models = { Deployment, HorizontalPodAutoscaler, NetworkPolicy, PodDisruptionBudget, Service };
const isModelled = (kind: string): kind is keyof typeof models => Object.hasOwn(models, kind);

const containerSchema = z.object({
  image: z.string(),
  env: z.array(
    z.object({ name: z.string(), value: z.string().optional(), valueFrom: z.unknown().optional() }),
  ),
  securityContext: z.unknown(),
  resources: z.object({
    requests: z.object({ cpu: z.string(), memory: z.string() }),
    limits: z.object({ cpu: z.string(), memory: z.string() }),
  }),
  livenessProbe: z.unknown(),
  readinessProbe: z.unknown(),
});
const podSchema = z.object({
  terminationGracePeriodSeconds: z.number(),
  automountServiceAccountToken: z.literal(false),
  // Else Kubernetes sets HOLDBACK_PORT to the address of the Service `holdback`, and no pod starts.
  enableServiceLinks: z.literal(false),
  securityContext: z.unknown(),
  containers: z.array(containerSchema).length(1),
});
const pods = manifests
  .filter(({ kind }) => kind === 'Deployment')
  .map(({ id, content }) => ({ id, pod: podSchema.parse(content.spec.template.spec) }));

describe('the manifests for Kubernetes', () => {
  test.each(manifests)('$id is what its schema says', ({ kind, content }) => {
    if (isModelled(kind)) new models[kind](content).validate();
    else expect(['ScaledObject', 'TriggerAuthentication']).toContain(kind);
  });

  test.each(pods)(
    '$id: its pods are nobody, write nowhere but to what is emptied, and may nothing else',
    ({ pod }) => {
      expect(pod.securityContext).toMatchObject({
        runAsNonRoot: true,
        runAsUser: 10001,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      for (const { securityContext, livenessProbe, readinessProbe } of pod.containers) {
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(livenessProbe).toMatchObject({ httpGet: { path: '/healthz', port: 'http' } });
        expect(readinessProbe).toMatchObject({ httpGet: { path: '/readyz', port: 'http' } });
      }
    },
  );

  test.each(pods)(
    '$id: its settings are ones that a node starts with, and none of them is a secret',
    ({ pod }) => {
      for (const { env } of pod.containers) {
        const secret = /URL|TOKEN|^HOLDBACK_IDENTITY$/;
        for (const { name, value } of env) if (secret.test(name)) expect(value, name).toBeUndefined();
        const given = env.map(({ name, value }) => [name, value ?? standIns[name] ?? '']);
        const config = readConfig(Object.fromEntries(given));
        expect(['api', 'runner']).toContain(config.role);
        expect(pod.terminationGracePeriodSeconds * 1_000).toBeGreaterThan(config.drainMs + 10_000);
      }
    },
  );

  test('runners reach the database and the names of hosts, and nothing else', () => {
    const policy = manifests.find(({ id }) => id === 'network.yaml: NetworkPolicy holdback-runner');
    const { egress, policyTypes } = Object(policy?.content).spec;
    expect(policyTypes).toEqual(['Ingress', 'Egress']);
    const ports = z.array(
      z.object({ to: z.array(z.unknown()).min(1), ports: z.array(z.object({ port: z.number() })) }),
    );
    expect(ports.parse(egress).flatMap((rule) => rule.ports.map(({ port }) => port))).toEqual([5432, 53, 53]);
  });
});

/** What a secret might hold. */
const standIns: Record<string, string> = {
  DATABASE_URL: 'postgres://holdback:password@database/holdback',
  HOLDBACK_ADMIN_TOKEN: 'an-admin-token-of-a-test',
  HOLDBACK_METRICS_TOKEN: 'a-metrics-token-of-a-test',
};

describe('the container', () => {
  const dockerfile = textOf('Dockerfile');

  test('has the Node that this project has, is nobody, and starts what the build makes', () => {
    const { devDependencies, scripts } = parse(textOf('package.json'));
    const images = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
    expect(new Set(images)).toEqual(new Set([`node:${devDependencies.node}-trixie-slim`]));
    expect(dockerfile).toMatch(/^USER 10001:10001$/m);
    expect(dockerfile).toContain('npm ci --omit=dev');
    expect(dockerfile).toContain('npm run build');
    expect(scripts.build).toBeTypeOf('string');
    // test/long/packed.test.ts starts it, as another user where it can.
    const started = ['node', ...engineOptions, 'dist/server/main.js'];
    expect(dockerfile).toContain(`ENTRYPOINT ["${started.join('", "')}"]`);
    expect(scripts.start).toBe(`exec node ${engineOptions.join(' ')} server/main.ts`);
  });

  test('is run by Compose as nobody, on a read-only root, with no capabilities, and runners on the inner network alone', () => {
    const compose = parse(textOf('deploy/compose.yaml'), { merge: true });
    for (const name of ['api', 'runner']) {
      expect(compose.services[name], name).toMatchObject({
        user: '10001:10001',
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        init: true,
      });
      expect(compose.services[name].tmpfs[0]).toMatch(/^\/tmp:exec,/);
    }
    expect(compose.services.runner.networks).toEqual(['data']);
    expect(compose.networks.data).toEqual({ internal: true });
  });
});
