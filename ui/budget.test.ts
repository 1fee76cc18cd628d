import { describe, expect, it } from 'vitest';

import { firstScreen, strangers } from './budget.ts';

const chunk = (fileName: string, imports: string[], more: object = {}) =>
  ({ type: 'chunk' as const, fileName, code: fileName, isEntry: false, facadeModuleId: null, imports, moduleIds: [] as string[], viteMetadata: { importedCss: new Set<string>() }, ...more });

describe('the weight of the first screen', () => {
  const bundle = {
    'index.js': chunk('index.js', ['a.js'], { isEntry: true, viteMetadata: { importedCss: new Set(['index.css']) } }),
    'a.js': chunk('a.js', ['b.js']),
    'b.js': chunk('b.js', ['a.js']),
    'tauri.js': chunk('tauri.js', [], { facadeModuleId: '/ui/src/lib/backend/tauri.ts' }),
    'screens.js': chunk('screens.js', ['a.js']),
    'index.css': { type: 'asset' as const, fileName: 'index.css', source: 'x' },
    'screens.css': { type: 'asset' as const, fileName: 'screens.css', source: 'x' },
  };

  it('counts what the entry reads, and the way to the core, once each', () => {
    expect(firstScreen(bundle).sort()).toEqual(['a.js', 'b.js', 'index.css', 'index.js', 'tauri.js']);
  });

  it('sees what is for tests alone', () => {
    expect(strangers(bundle)).toEqual([]);
    expect(strangers({ 'x.js': chunk('x.js', [], { moduleIds: ['/ui/src/style/Style.svelte', '/ui/src/App.svelte'] }) })).toEqual(['/ui/src/style/Style.svelte']);
  });
});
