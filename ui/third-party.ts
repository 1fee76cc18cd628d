import { readFileSync } from 'node:fs';

import type { Plugin } from 'vite';

/** One package a line. `cargo xtask bundle` puts their licences into what is handed out. */
const LIST = 'ui/third-party.txt';

type Bundle = Record<string, { type: 'asset' } | { type: 'chunk'; moduleIds: string[] }>;

/** The package whose code a module is; none where it is this project's. */
export function owner(id: string): string | undefined {
  const installed = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(id)?.[1];
  if (installed) return installed;
  if (id.includes('/lib/paraglide/')) return '@inlang/paraglide-js';
  // What a tool puts in is named after the tool.
  return id.startsWith('\0') ? id.slice(1).split('/')[0] : undefined;
}

/** How the packages in the page differ from those that are `named`. */
export function differences(bundle: Bundle, named: string[]): string[] {
  const ids = Object.values(bundle).flatMap((part) => (part.type === 'chunk' ? part.moduleIds : []));
  const found = new Set(ids.map(owner).filter((name) => name !== undefined));
  const unnamed = [...found].filter((name) => !named.includes(name)).map((name) => `${name} is in the page and not in ${LIST}`);
  return [...unnamed, ...named.filter((name) => !found.has(name)).map((name) => `${name} is in ${LIST} and not in the page`)].sort();
}

/** Fails the build of a release when the list of those whose code is in the page is not right. */
export function thirdParty(release: boolean): Plugin {
  const named = readFileSync(new URL('./third-party.txt', import.meta.url), 'utf8').trim().split(/\r?\n/);
  return {
    name: 'third-party',
    apply: 'build',
    enforce: 'post',
    generateBundle(_options, bundle) {
      const found = release ? differences(bundle, named) : [];
      if (found.length > 0) this.error(found.join('\n'));
    },
  };
}
