import { describe, expect, it } from 'vitest';

import { differences, owner } from './third-party.ts';

const page = (...moduleIds: string[]) => ({ 'index.js': { type: 'chunk' as const, moduleIds }, 'index.css': { type: 'asset' as const } });

describe('whose code is in the page', () => {
  it('is told by where a module lies', () => {
    expect(owner('/p/node_modules/svelte/src/internal/client/index.js')).toBe('svelte');
    expect(owner('/p/node_modules/@tauri-apps/api/core.js')).toBe('@tauri-apps/api');
    expect(owner('/p/node_modules/a/node_modules/b/index.js')).toBe('b');
    expect(owner('/p/ui/src/lib/paraglide/runtime.js')).toBe('@inlang/paraglide-js');
    expect(owner('\0vite/preload-helper.js')).toBe('vite');
    expect(owner('/p/ui/src/App.svelte')).toBeUndefined();
  });

  it('is what the list says, no more and no less', () => {
    const bundle = page('/p/node_modules/svelte/index.js', '/p/node_modules/uqr/index.js', '/p/ui/src/App.svelte');
    expect(differences(bundle, ['svelte', 'uqr'])).toEqual([]);
    expect(differences(bundle, ['clsx', 'svelte'])).toEqual(['clsx is in ui/third-party.txt and not in the page', 'uqr is in the page and not in ui/third-party.txt']);
  });
});
