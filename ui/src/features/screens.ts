/** The screens behind the first one: fetched together right after the first is drawn. */
export { default as activate } from './activate/Activate.svelte';
export { default as balance } from './balance/Balance.svelte';
export { default as history } from './history/History.svelte';
export { default as queue } from './queue/Queue.svelte';
export { default as request } from './request/Request.svelte';
export { default as resume } from './resume/Resume.svelte';
export { default as settings } from './settings/Settings.svelte';
export { default as topup } from './topup/Topup.svelte';
