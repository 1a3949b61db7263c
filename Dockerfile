# Holdback as a container: built from a clone, run by nobody in particular, on a root file system that need not be writable.
# What it writes goes to /var/lib/holdback (its data directory) and /tmp (what hosts load, so it must not be mounted noexec).

# Debian 13: its setpriv knows Landlock (docs/containment.md). Pin the digest too where your registry shows one.
FROM node:26.10.0-trixie-slim AS build
WORKDIR /opt/holdback
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npm run build

FROM node:26.10.0-trixie-slim AS modules
WORKDIR /opt/holdback
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:26.10.0-trixie-slim
RUN install -d -m 0700 -o 10001 -g 10001 /var/lib/holdback
WORKDIR /opt/holdback
COPY --from=modules /opt/holdback/package.json ./
COPY --from=modules /opt/holdback/node_modules ./node_modules
COPY --from=build /opt/holdback/dist ./dist
ENV NODE_ENV=production HOLDBACK_HOST=0.0.0.0 HOLDBACK_PORT=8787 HOLDBACK_DATA_DIR=/var/lib/holdback HOLDBACK_LOG_LEVEL=info
# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
EXPOSE 8787
VOLUME /var/lib/holdback
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.HOLDBACK_PORT}/healthz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "--max-semi-space-size=4", "--v8-pool-size=1", "dist/server/main.js"]
