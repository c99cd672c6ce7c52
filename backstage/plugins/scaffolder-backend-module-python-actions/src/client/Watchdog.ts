/** Aborts when it is not fed for a while. */
export class Watchdog {
  private readonly controller = new AbortController();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly limitMs: number,
    private readonly bark: () => Error,
  ) {
    this.feed();
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  feed(limitMs: number = this.limitMs): void {
    this.stop();
    this.timer = setTimeout(() => this.controller.abort(this.bark()), limitMs);
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}
