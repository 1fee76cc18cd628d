/** The part of the browser's history that the back gesture needs. */
interface Steps {
  pushState(data: unknown, unused: string): void;
  back(): void;
}

/** The back gesture of a phone: one entry in the history stands for "away from home", whatever screen that is. */
export class Back {
  #there = false;
  #own = false;

  constructor(private readonly steps: Steps = window.history) {}

  /** Called with where the page is, each time that it changes. */
  follow(away: boolean): void {
    if (away === this.#there) return;
    this.#there = away;
    if (away) {
      this.steps.pushState(null, '');
    } else {
      this.#own = true;
      this.steps.back();
    }
  }

  /** Called when the history went back; true when a person did that. */
  popped(): boolean {
    if (this.#own) {
      this.#own = false;
      return false;
    }
    const was = this.#there;
    this.#there = false;
    return was;
  }
}
