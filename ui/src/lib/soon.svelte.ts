/** A part that the first screen seldom needs: it is fetched when it is, and stays. */
export function soon<T>(wanted: () => boolean, load: () => Promise<{ default: T }>): { readonly now: T | null } {
  let part = $state.raw<T | null>(null);
  $effect(() => {
    if (wanted() && part === null) void load().then((loaded) => (part = loaded.default));
  });
  return {
    get now() {
      return part;
    },
  };
}
