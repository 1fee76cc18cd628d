import { describe, expect, it } from 'vitest';

import { firstScreen, strangers } from './budget.ts';

const chunk = (fileName: string, imports: string[], more: object = {}) =>
  ({ type: 'chunk' as const, fileName, code: fileName, imports, moduleIds: [] as string[], viteMetadata: { importedCss: new Set<string>() }, ...more });

describe('the weight of the first screen', () => {
  const bundle = {
    'index.js': chunk('index.js', ['a.js'], { moduleIds: ['/ui/src/App.svelte', '/ui/src/main.ts'], viteMetadata: { importedCss: new Set(['index.css']) } }),
    'a.js': chunk('a.js', ['b.js']),
    'b.js': chunk('b.js', ['a.js']),
    'screens.js': chunk('screens.js', ['a.js']),
    'index.css': { type: 'asset' as const, fileName: 'index.css', source: 'x' },
    'screens.css': { type: 'asset' as const, fileName: 'screens.css', source: 'x' },
  };

  it('counts what the page begins with, once each', () => {
    expect(firstScreen(bundle).sort()).toEqual(['a.js', 'b.js', 'index.css', 'index.js']);
  });

  it('sees what is for tests alone', () => {
    expect(strangers(bundle)).toEqual([]);
    expect(strangers({ 'x.js': chunk('x.js', [], { moduleIds: ['/ui/src/style/Style.svelte', '/ui/src/App.svelte'] }) })).toEqual(['/ui/src/style/Style.svelte']);
  });
});
