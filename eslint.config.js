import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';

export default ts.config(
  { ignores: ['ui/src/lib/paraglide', 'ui/src/lib/bindings', 'ui/project.inlang', 'dist', 'target'] },
  js.configs.recommended,
  ...ts.configs.recommended,
  ...svelte.configs['flat/recommended'],
  {
    languageOptions: { globals: { ...globals.browser, __FAKE__: 'readonly' } },
    rules: {
      eqeqeq: 'error',
      '@typescript-eslint/no-unused-vars': ['error', { varsIgnorePattern: '^_', argsIgnorePattern: '^_' }],
      'svelte/no-useless-mustaches': 'off',
      'no-console': 'error',
      'no-undef': 'off',
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true }],
      'no-restricted-imports': [
        'error',
        { patterns: [{ group: ['@tauri-apps/*'], message: 'Only lib/backend/tauri.ts talks to Tauri.' }] },
      ],
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser } },
  },
  { files: ['ui/src/lib/backend/tauri.ts'], rules: { 'no-restricted-imports': 'off' } },
  { files: ['**/*.test.ts', '**/*.svelte'], rules: { 'max-lines-per-function': 'off' } },
);
