import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';

import { failure, scenes } from './lib/backend/scenes';
import { loadFailureWords } from './lib/i18n/failures.svelte';
import { all, onPhone, one, open, sent, settle, stop, tap, text, type } from './testing';

beforeAll(async () => {
  await Promise.all([loadFailureWords(), import('./features/screens')]);
});
afterEach(stop);

describe('the contract for UI testers', () => {
  const contract: Record<string, string[]> = {
    home: ['screen-home', 'nav-home', 'action-balance', 'action-topup', 'action-resume', 'action-activate', 'purse-card', 'reader-state', 'network-state'],
    'home-pending': ['pending-load', 'pending-amount'],
    balance: ['screen-balance', 'nav-home', 'balance-amount', 'card-number', 'card-expiry', 'balance-chart'],
    'topup-phone': ['screen-topup', 'nav-home', 'phone-input', 'send-code'],
    'topup-code': ['code-input', 'verify-code', 'resend-code'],
    'topup-amount': ['amount-chip-20', 'amount-chip-50', 'amount-chip-100', 'amount-chip-200', 'amount-input', 'pin-pad', ...Array.from({ length: 10 }, (_, d) => `pin-key-${d}`), 'pin-delete', 'submit'],
    'topup-running': ['step-read', 'step-approve', 'step-write', 'step-confirm'],
    'topup-done': ['receipt', 'receipt-amount', 'receipt-balance', 'receipt-reference', 'done'],
    'topup-torn': ['error-code', 'error-title', 'error-money', 'error-action', 'retry'],
    'resume-none': ['screen-resume', 'resume-state', 'done'],
    'resume-already': ['resume-state', 'receipt', 'receipt-amount', 'receipt-balance', 'receipt-reference'],
    'activate-password': ['screen-activate', 'pin-pad', 'submit', 'activate-state'],
    'home-list': ['action-queue', 'queue-entry', 'queue-continue'],
    'queue-pick': ['screen-queue', 'list-pick', 'list-sample'],
    'queue-flaws': ['list-flaws', 'list-pick'],
    'queue-check': ['list-total', 'list-rows', 'list-accept', 'list-pick'],
    'queue-password': ['pin-pad', 'submit'],
    'queue-tap': ['tap-state', 'tap-next', 'queue-progress', 'queue-loaded', 'queue-waiting', 'queue-save', 'queue-close', 'queue-later'],
    'queue-closed': ['queue-given-back', 'queue-save', 'queue-returned', 'done'],
    request: ['screen-request', 'request-amount', 'request-sender', 'request-accept', 'request-drop'],
    'request-bad': ['screen-request', 'error-code', 'request-drop'],
    history: ['screen-history', 'export-history'],
    settings: ['screen-settings', 'language-select', 'theme-select', 'reader-select', 'terminal-id', 'key-check-value', 'key-expiry', 'renew-key', 'run-diagnostics', 'erase-device', 'tray-switch', 'notices-switch'],
    welcome: ['screen-welcome', 'start'],
  };
  it.each(Object.entries(contract))('%s has each of its names once', async (scene, ids) => {
    await open(scene);
    for (const id of ids) one(id);
  });

  it.each(Object.keys(scenes))('%s is drawn with one screen, one heading and no nameless control', async (scene) => {
    await open(scene);
    expect(document.querySelectorAll('[data-testid^="screen-"]')).toHaveLength(1);
    expect(document.querySelectorAll('h1')).toHaveLength(1);
    for (const control of document.querySelectorAll<HTMLElement>('button, input, select')) {
      const label = control.id ? document.querySelector(`label[for="${control.id}"]`)?.textContent : '';
      expect((control.getAttribute('aria-label') ?? '') + control.textContent + (label ?? ''), control.outerHTML).not.toBe('');
    }
    const ids = [...document.querySelectorAll('[data-testid]')].map((e) => e.getAttribute('data-testid')).filter((id) => !['log-row', 'history-row', 'purse-card', 'card-edit', 'package-row', 'package-covers', 'pending-load', 'pending-amount', 'pending-finish', 'pending-reference', 'history-open', 'action-refund', 'refund-dialog', 'refund-no', 'refund-yes', 'list-flaw', 'list-row', 'queue-item', 'queue-open', 'queue-entry', 'queue-entry-left', 'queue-continue'].includes(id ?? ''));
    expect(ids.filter((id, i) => ids.indexOf(id) !== i), 'a name stands for one thing').toEqual([]);
  });

  it('a package that was not taken is told with its code and reason', async () => {
    await open('settings-refused');
    expect(text('package-refused')).toContain('0002');
    expect(text('error-code')).toBe('package-older');
    expect(all('package-covers').map((row) => row.textContent)).toHaveLength(2);
  });

  it('shows values as plain text', async () => {
    await open('balance');
    expect([text('balance-amount'), text('card-number'), text('card-expiry'), one('card-expiry').dataset.date]).toEqual(['128.50', '•••• 4471', '2034年12月31日', '2034-12-31']);
    expect(all('log-row')).toHaveLength(6);
  });

  it('gives states as attributes', async () => {
    await open('topup-running');
    expect(['read', 'approve', 'write', 'confirm'].map((step) => one(`step-${step}`).dataset.state)).toEqual(['done', 'done', 'running', 'waiting']);
    stop();
    for (const [scene, state] of [['resume-none', 'none'], ['resume-already', 'already-on-card'], ['resume-loaded', 'loaded'], ['resume-refunded', 'refunded'], ['resume-failed', 'failed'], ['resume-running', 'running']] as const) {
      await open(scene);
      expect(one('resume-state').dataset.state).toBe(state);
      stop();
    }
    await open('home-trouble');
    expect([one('reader-state').dataset.state, one('network-state').dataset.state]).toEqual(['service-down', 'offline']);
  });
});

describe('what is said of the money', () => {
  it('promises that nothing is charged only while a top-up reads', async () => {
    for (const scene of Object.keys(scenes)) {
      await open(scene);
      const said = document.body.textContent.includes('不会扣钱');
      expect(said, scene).toBe(['topup-read', 'topup-poor'].includes(scene));
      stop();
    }
  });

  it.each(['resume-wait', 'resume-read', 'resume-running', 'resume-offline', 'resume-failed'])('%s tells amount and place', async (scene) => {
    await open(scene);
    expect(document.body.textContent).toContain('¥50.00 已从账户扣出');
    expect(document.body.textContent).not.toContain('没有动用任何钱');
  });

  it.each(['topup-code-wrong', 'home-trouble', 'welcome-trouble', 'balance-failed'])('is nothing in %s', async (scene) => {
    await open(scene);
    expect(one('error-money').getAttribute('aria-hidden'), 'there for testers alone').toBe('true');
  });

  it('asks for the card again when it is taken away', async () => {
    const { backend } = await open('topup-gone');
    expect(document.querySelector('.hold')?.textContent).toContain('不要动');
    backend.push({ reader: { state: 'empty', name: 'R', readers: ['R'], chosen: null } });
    await settle();
    expect(document.querySelector('.hold')?.textContent).toContain('放回');
  });
});

describe('a failure', () => {
  it('says what happened, where the money is and what to do', async () => {
    await open('topup-torn');
    expect(text('error-code')).toBe('card-lost');
    expect(text('error-money')).toContain('¥50.00');
    expect(text('error-action').length).toBeGreaterThan(5);
    await tap('retry');
    expect(document.querySelector('[data-testid="screen-resume"]'), 'a load that waits is finished by a re-top-up').not.toBeNull();
  });

  it('that the core rejects with is shown like one of the view', async () => {
    const { backend } = await open('topup-phone');
    backend.run = () => Promise.reject(failure('too-many', 'account', 'again', { retry_after_ms: '30000' }) as unknown as Error);
    await type('phone-input', '13800006021');
    await tap('send-code');
    expect([text('error-code'), text('error-action').includes('30')]).toEqual(['too-many', true]);
  });
});

describe('the screens', () => {
  it('ignore a view older than the one they show', async () => {
    const { app, backend } = await open('home');
    const old = await backend.view();
    backend.push({ network: 'offline' });
    app.take(old);
    expect(app.view?.network).toBe('offline');
  });

  it('follow language, theme and text size at once', async () => {
    const { app } = await open('home');
    await app.run({ command: 'set-language', language: 'en' });
    await app.run({ command: 'set-theme', theme: 'dark' });
    await app.run({ command: 'set-text-size', percent: 200 });
    await settle();
    expect(document.querySelector('h1')?.textContent).toMatch(/Home|Tapfill/);
    expect([document.documentElement.dataset.theme, document.documentElement.style.fontSize]).toEqual(['dark', '200%']);
  });

  it('ask before the device is erased', async () => {
    const { backend } = await open('settings');
    await tap('erase-device');
    expect(sent(backend, 'erase-device')).toEqual([]);
    await tap('erase-confirm');
    expect(sent(backend, 'erase-device')).toHaveLength(1);
  });

  it('warn of a key that ends while the bank is away, before a top-up fails for it', async () => {
    const { backend } = await open('settings-key-soon');
    expect(text('key-warning')).toMatch(/39|40/);
    backend.push({ network: 'online' });
    await settle();
    expect(all('key-warning')).toEqual([]);
  });

  it('unlock, and never enrol anew, where nobody confirmed', async () => {
    const { backend } = await open('home-locked');
    await tap('retry');
    expect(sent(backend, 'unlock')).toHaveLength(1);
    expect(sent(backend, 'enrol')).toEqual([]);
  });

  it('show the lock as it is, not as it was tapped', async () => {
    const { backend } = await open('settings');
    const box = one('lock-switch') as HTMLInputElement;
    await tap('lock-switch');
    expect(sent(backend, 'set-lock')).toEqual([{ command: 'set-lock', on: true }]);
    expect(box.checked).toBe(true);
    backend.run = () => Promise.reject(failure('unlock-unable', 'none', 'again') as unknown as Error);
    await tap('lock-switch');
    expect(box.checked).toBe(true);
  });

  it('show each part of the diagnostics', async () => {
    await open('settings');
    await tap('run-diagnostics');
    const parts = ['service', 'reader', 'other-programs', 'keystore', 'packages', 'clock', 'dns', 'proxy', 'tls', 'security-server', 'transaction-server'];
    for (const part of parts) one(`diagnostic-${part}`);
    one('copy-report');
  });

  it('say of each part that is wrong what it is, why and what to do, and of the rest what comes first', async () => {
    await open('settings-no-name');
    await tap('run-diagnostics');
    const dns = one('diagnostic-dns');
    expect(dns.dataset.state).toBe('bad');
    expect(dns.querySelectorAll('p')).toHaveLength(4);
    expect(dns.textContent).toContain('bank.example');
    expect(one('diagnostic-tls').dataset.state).toBe('skipped');
    expect(text('diagnostic-tls'), 'names the part to mend first').toContain('DNS');
    expect(text('diagnostic-other-programs'), 'no card is no fault').toContain('放上卡');
    expect(text('diagnostics-verdict')).toContain('2');
  });

  it('check again when a reader comes or goes, and not for each card on it', async () => {
    const { app, backend } = await open('settings');
    const reader = async (state: 'none' | 'empty' | 'card'): Promise<number> => {
      backend.push({ reader: { ...app.view!.reader, state } });
      await settle();
      return sent(backend, 'run-diagnostics').length;
    };
    await reader('empty');
    expect(await reader('none'), 'nobody has asked for a check').toBe(0);
    await tap('run-diagnostics');
    expect(await reader('none')).toBe(1);
    expect(await reader('empty'), 'it is there again').toBe(2);
    expect(await reader('card')).toBe(2);
    expect(await reader('none')).toBe(3);
  });

  it('say that nothing is wrong where nothing is', async () => {
    await open('settings-well');
    await tap('run-diagnostics');
    expect(document.querySelectorAll('[data-testid^="diagnostic-"][data-state="bad"]')).toHaveLength(0);
    expect(text('diagnostics-verdict')).toContain('正常');
  });

  it('show where the time went, on request', async () => {
    await open('settings');
    expect(all('times-topup')).toEqual([]);
    await tap('show-times');
    const hops = [...one('times-topup').querySelectorAll('tbody tr')].map((row) => (row as HTMLElement).dataset.testid);
    expect(hops).toEqual(['hop-card', 'hop-app', 'hop-cipher', 'hop-network', 'hop-bank', 'hop-total']);
    expect(one('times-topup').querySelector('.cipher td')?.textContent, 'less than 10 ms with a decimal').toBe('0.4 毫秒');
    expect(one('times-balance').querySelectorAll('tbody tr'), 'a balance needs no bank').toHaveLength(3);
    stop();
    await open('settings-fresh');
    await tap('show-times');
    one('times-none');
  });

  it('say what the diagnostics found, and leave the list a list', async () => {
    await open('settings');
    await tap('run-diagnostics');
    const list = one('diagnostic-clock').closest('ul');
    expect(list?.hasAttribute('role')).toBe(false);
    expect(list?.parentElement?.querySelector('[role="status"]')?.textContent).toContain('2');
  });

  it('show every purse without scrolling inside the page, the newest large', async () => {
    await open('home-crowd');
    expect(all('purse-card').map((purse) => purse.classList.contains('compact'))).toEqual([false, true, true, true, true]);
    expect(document.querySelector('.purses')).toBeNull();
  });

  it('lead from a missing reader to the checks, and begin them', async () => {
    const { app, backend } = await open('balance-service-down');
    await tap('check');
    expect([app.screen, sent(backend, 'leave').length, sent(backend, 'run-diagnostics').length]).toEqual(['settings', 1, 1]);
    one('diagnostic-service');
    stop();
    const home = await open('home-unsure');
    await tap('check-reader');
    expect(sent(home.backend, 'run-diagnostics')).toHaveLength(1);
    await home.app.open('home');
    await home.app.open('settings');
    await settle();
    expect(sent(home.backend, 'run-diagnostics'), 'once, not at each visit').toHaveLength(1);
  });

  it('offer the checks with a failure that they can explain, and with no other', async () => {
    const { backend } = await open('balance-busy');
    await tap('check');
    expect(sent(backend, 'run-diagnostics')).toHaveLength(1);
    stop();
    await open('topup-funds');
    expect(all('check')).toEqual([]);
  });

  it('ask for the card before a code can be sent for it', async () => {
    const { backend } = await open('topup-phone-first');
    expect(text('card-first')).toContain('把卡放在读卡器上');
    backend.push({ reader: { state: 'none', name: null, readers: [], chosen: null } });
    await settle();
    expect(text('card-first'), 'and for a reader before the card').toContain('没有找到读卡器');
    backend.push({ reader: { state: 'card', name: 'R', readers: ['R'], chosen: null } });
    await settle();
    expect(all('card-first')).toEqual([]);
  });

  it('say which part of the reader is missing', async () => {
    const said: string[] = [];
    for (const [scene, state] of [['balance-missing', 'none'], ['balance-service-down', 'service-down'], ['balance-service-hung', 'service-hung']] as const) {
      await open(scene);
      expect(one('reader-state').dataset.state).toBe(state);
      said.push(text('error-title'));
      stop();
    }
    expect(new Set(said).size, said.join(', ')).toBe(said.length);
  });

  it('print a receipt with the dialog of the web view', async () => {
    const print = vi.fn();
    vi.stubGlobal('print', print);
    await open('topup-done');
    await tap('print-receipt');
    expect(print).toHaveBeenCalledOnce();
    vi.unstubAllGlobals();
  });

  it('filter the history', async () => {
    await open('history');
    expect(all('history-row')).toHaveLength(7);
    await tap('filter-unfinished');
    expect(all('history-row')).toHaveLength(1);
    expect(all('history-finish')).toEqual([]);
  });

  it('open a record that says where the money is and what to do', async () => {
    const { app, backend } = await open('history-pending');
    await onPhone(app);
    all('history-open')[0]?.click();
    await settle();
    expect(one('history-detail').dataset.place).toBe('in-transit');
    expect(one('detail-money').textContent).toContain('50.00');
    expect(one('detail-action').textContent).toContain('4471');
    expect(one('detail-reference').textContent).toBe('TF-7K2M-91QX');
    await tap('action-refund');
    await tap('refund-yes');
    expect(sent(backend, 'refund')).toEqual([{ command: 'refund', load: '1'.padStart(32, '0') }]);
    await app.open('history');
    expect(all('history-detail')).toEqual([]);
  });

  it('tell what became of a load that is over', async () => {
    const { app } = await open('history');
    await onPhone(app);
    const places = ['in-transit', 'on-card', 'account', 'on-card', 'account', 'written-off', 'none'];
    for (const [i, place] of places.entries()) {
      all('history-open')[i]?.click();
      await settle();
      expect(one('history-detail').dataset.place).toBe(place);
      expect(one('detail-action').textContent).not.toBe('');
      expect(all('detail-money')).toHaveLength(place === 'none' ? 0 : 1);
      await tap('detail-back');
    }
  });

  it('give the money back from home', async () => {
    const { backend } = await open('home-pending');
    await tap('action-refund');
    const dialog = one('refund-dialog') as HTMLDialogElement;
    expect([dialog.open, dialog.textContent.includes('¥50.00')], 'it asks first').toEqual([true, true]);
    await tap('refund-no');
    expect([dialog.open, sent(backend, 'refund').length]).toEqual([false, 0]);
    await tap('action-refund');
    await tap('refund-yes');
    expect([dialog.open, sent(backend, 'refund').length]).toEqual([false, 1]);
  });

  it('finish a load from its row', async () => {
    const { app, backend } = await open('history-pending');
    expect(all('history-finish'), 'beside the list its record has the button').toEqual([]);
    await onPhone(app);
    await tap('history-finish');
    expect(sent(backend, 'begin')).toEqual([{ command: 'begin', kind: 'resume' }]);
  });

  it('count the time of the step that runs', async () => {
    await open('topup-running');
    await new Promise((resolve) => setTimeout(resolve, 250));
    await settle();
    expect(one('step-write').textContent).toMatch(/0\.[2-9] 秒/);
  });

  it('show when the key ends, so that renewing it is seen', async () => {
    await open('settings');
    const before = text('key-expiry');
    await tap('renew-key');
    expect(text('key-expiry')).not.toBe(before);
    expect(text('suite')).toBe('AES-256-GCM');
  });
});
