import { invoke } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';

import type { AppView } from '../bindings/AppView';
import type { Reply } from '../bindings/Reply';
import type { Backend } from './types';

export const backend: Backend = {
  first: window.__TAPFILL_VIEW__ ?? null,
  view: () => invoke<AppView>('app_view'),
  run: (command) => invoke<Reply>('run', { command }),
  listen: (onView) => listen<AppView>('view', (event) => onView(event.payload)),
};
