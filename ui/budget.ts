import { gzipSync } from 'node:zlib';

import type { Plugin } from 'vite';

/** What a start has to read before the first screen can be used, gzip. */
const MOST_BYTES = 60_000;
/** What the page begins with. */
const ENTRY = /\/src\/main\.ts$/;

interface Chunk { type: 'chunk'; fileName: string; code: string; imports: string[]; moduleIds: string[]; viteMetadata?: { importedCss: Set<string> } }
interface Asset { type: 'asset'; fileName: string; source: string | Uint8Array }
type Bundle = Record<string, Chunk | Asset>;

/** The script and style files of the first screen. */
export function firstScreen(bundle: Bundle): string[] {
  const chunks = Object.values(bundle).filter((part): part is Chunk => part.type === 'chunk');
  const open = chunks.filter((chunk) => chunk.moduleIds.some((id) => ENTRY.test(id)));
  const found = new Set<string>();
  for (let chunk = open.pop(); chunk; chunk = open.pop()) {
    if (found.has(chunk.fileName)) continue;
    found.add(chunk.fileName);
    for (const style of chunk.viteMetadata?.importedCss ?? []) found.add(style);
    open.push(...chunk.imports.map((name) => bundle[name]).filter((part): part is Chunk => part?.type === 'chunk'));
  }
  return [...found];
}

/** Modules that only tests and the style page may have. */
const FOR_TESTS = /\/src\/(style\/|lib\/backend\/(fake|scenes))/;

/** What is for tests alone and got into the bundle. */
export function strangers(bundle: Bundle): string[] {
  return Object.values(bundle).flatMap((part) => (part.type === 'chunk' ? part.moduleIds : [])).filter((id) => FOR_TESTS.test(id));
}

/** Fails the build when the first screen has become too heavy, and a release that holds what is for tests. */
export function budget(release: boolean): Plugin {
  return {
    name: 'first-screen-budget',
    apply: 'build',
    enforce: 'post',
    generateBundle(_options, output) {
      const bundle = output as unknown as Bundle;
      const sizes = firstScreen(bundle).map((name) => {
        const part = bundle[name];
        const content = part?.type === 'chunk' ? part.code : (part?.source ?? '');
        return [name, gzipSync(content, { level: 9 }).length] as const;
      });
      const sum = sizes.reduce((all, [, size]) => all + size, 0);
      this.info(`first screen: ${sum} of ${MOST_BYTES} bytes, gzip\n${sizes.map(([name, size]) => `  ${size} ${name}`).join('\n')}`);
      if (sum === 0) this.error('nothing was found that the page begins with');
      const found = release ? strangers(bundle) : [];
      if (found.length > 0) this.error(`for tests alone: ${found.join(', ')}`);
      if (sum > MOST_BYTES) this.error(`the first screen needs ${sum} bytes, gzip; at most ${MOST_BYTES} are allowed`);
    },
  };
}
