/**
 * What pages load: one stylesheet, and small scripts that are bundled when the first page asks for them. Each is named by a digest
 * of its bytes, so that browsers keep it for good, and another version has another address.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

export type Asset = { name: string; type: string; text: string };

/** The scripts that there are, as files of `client/` without their ending. A page names those that it needs. */
const scriptNames = ['theme', 'trends', 'score', 'case-editor'] as const;
export type ScriptName = (typeof scriptNames)[number];

/** What the one stylesheet is made of, each after those that it builds on. */
const styles = ['style.css', 'chart.css', 'trends-page.css', 'suites.css'];

const folder = new URL('.', import.meta.url);

/** As many as there are files. */
const made = new Map<string, Promise<Asset>>();

/** The address of the stylesheet. */
export async function styleAddress(): Promise<string> {
  return addressOf(await makeOnce('style.css', makeStyle));
}

/** The address of a script. */
export async function scriptAddress(name: ScriptName): Promise<string> {
  return addressOf(await makeOnce(`${name}.js`, () => makeScript(name)));
}

/** An asset by the name in its address; undefined where no file has these bytes. */
export async function findAsset(name: string): Promise<Asset | undefined> {
  const [, file] = /^(\w[\w-]*)\.[0-9a-f]{12}\.(?:css|js)$/.exec(name) ?? [];
  const script = scriptNames.find((each) => each === file);
  // Another process may have named it: it is made here then.
  if (script !== undefined) await scriptAddress(script);
  if (file === 'style') await styleAddress();
  const assets = await Promise.all(made.values());
  return assets.find((asset) => asset.name === name);
}

function addressOf({ name }: Asset): string {
  return `/ui/assets/${name}`;
}

function makeOnce(file: string, make: () => Promise<Omit<Asset, 'name'>>): Promise<Asset> {
  const earlier = made.get(file);
  if (earlier !== undefined) return earlier;
  const making = make().then((asset) => withName(file, asset));
  made.set(file, making);
  making.catch(() => made.delete(file));
  return making;
}

/** The digest stands before the ending, as in `style.0123456789ab.css`. */
function withName(file: string, { type, text }: Omit<Asset, 'name'>): Asset {
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 12);
  return { name: file.replace(/\.(?=\w+$)/, `.${digest}.`), type, text };
}

async function makeStyle(): Promise<Omit<Asset, 'name'>> {
  const files = [
    // How the editor lies over its text is its library's to say.
    new URL(import.meta.resolve('prism-code-editor/layout.css')),
    ...styles.map((name) => new URL(name, folder)),
  ];
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  return { type: 'text/css; charset=utf-8', text: texts.join('\n') };
}

async function makeScript(name: ScriptName): Promise<Omit<Asset, 'name'>> {
  const text = await bundle(fileURLToPath(new URL(`client/${name}.ts`, folder)));
  return { type: 'text/javascript; charset=utf-8', text };
}

async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    // A classic script: the theme's runs before the page is drawn, which no module does.
    format: 'iife',
    target: 'es2023',
    write: false,
    logLevel: 'silent',
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error(`${entry} was not bundled`);
  return file.text;
}
