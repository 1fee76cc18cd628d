import { paraglideVitePlugin } from '@inlang/paraglide-js';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { budget } from './ui/budget.ts';
import { thirdParty } from './ui/third-party.ts';
import { fileURLToPath } from 'node:url';

// Absolute: some versions of Paraglide count from `root`, others from the working directory.
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

// `--mode fake` builds the screens on scripted views, for looking at them in a browser.
export default defineConfig(({ mode }) => ({
  root: 'ui',
  base: './',
  plugins: [
    svelte({ configFile: false }),
    paraglideVitePlugin({
      project: here('ui/project.inlang'),
      outdir: here('ui/src/lib/paraglide'),
      strategy: ['globalVariable', 'baseLocale'],
    }),
    budget(mode === 'production'),
    thirdParty(mode === 'production'),
  ],
  clearScreen: false,
  server: { port: 5173, strictPort: true, host: '127.0.0.1' },
  build: {
    outDir: mode === 'fake' ? '../target/ui-fake' : '../dist',
    emptyOutDir: true,
    target: ['es2022', 'safari16', 'chrome111'],
    // The content security policy has no `data:` for fonts and no inline scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    // Each file is a way through three processes before anything is drawn: what the first screen needs is one.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: 'first', tags: ['$initial'] }] } } },
  },
  define: { __FAKE__: JSON.stringify(mode !== 'production') },
  resolve: mode === 'test' ? { conditions: ['browser'] } : {},
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.ts', '*.test.ts'],
    restoreMocks: true,
    // Compiling all screens takes a busy machine its time.
    hookTimeout: 60_000,
    testTimeout: 30_000,
  },
}));
