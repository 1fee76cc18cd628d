import { afterEach, beforeAll, describe, expect, it } from 'vitest';

import { loadFailureWords } from './lib/i18n/failures.svelte';
import { one, open, settle, stop, tap, text, type } from './testing';

beforeAll(async () => {
  await Promise.all([loadFailureWords(), import('./features/screens')]);
});
afterEach(stop);

describe('the word before the code of an error', () => {
  it.each([['zh-CN', '错误代码'], ['zh-TW', '錯誤代碼'], ['en', 'Error code']] as const)('is not the one of the code by SMS, %s', async (language, word) => {
    const { app } = await open('topup-code');
    await app.run({ command: 'set-language', language });
    await type('code-input', '12');
    await tap('verify-code');
    await settle();
    expect(text('error-code'), 'testers read the code alone').toBe('code-bad');
    expect(one('error-code').parentElement?.textContent.trim()).toBe(`${word} code-bad`);
  });
});
