/// <reference types="svelte" />
/// <reference types="vite/client" />

/** True in every build but the one that ships: scripted views may be shown with `?fake=<scene>`. */
declare const __FAKE__: boolean;

interface Window {
  /** The view when the window opened, put there by the core. */
  readonly __TAPFILL_VIEW__?: import('./lib/bindings/AppView').AppView;
}
