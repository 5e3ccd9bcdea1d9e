// A request that is followed to its real end: its state, progress and the log of one worker, looked at every second.
import { Poll } from '@lumino/polling';
import { ISignal, Signal } from '@lumino/signaling';

import { CapacityProblem, request, sentenceOf } from './request';
import type { LogView, ProgressEvent, ProgressView, RequestView, TaskView } from './wire';
import { isOver } from './words';

const LOOK_MS = 1000;
const SLOWEST_MS = 15_000;
/** A log is shown from here to its end; the service keeps all of it. */
const SHOWN_CHARACTERS = 200_000;

export class Following {
  view: RequestView | null = null;
  events: ProgressEvent[] = [];
  /** The sentence of the last look, where it failed; looking goes on. */
  problem = '';
  /** Nothing more will come. */
  isComplete = false;
  log = '';

  constructor(
    readonly id: string,
    /** Whether the log of a worker is read, too. */
    private readonly isLogRead = true
  ) {
    this._poll = new Poll({
      auto: true,
      factory: () => this.look(),
      frequency: { interval: LOOK_MS, backoff: true, max: SLOWEST_MS },
      name: `capacity:${id}`,
      standby: 'when-hidden'
    });
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The workers, the newest generation first. */
  get tasks(): TaskView[] {
    const tasks = [...(this.view?.allocation?.tasks ?? [])];
    return tasks.sort((a, b) => b.generation - a.generation || a.index - b.index);
  }

  /** The task whose log is shown: the one that was chosen, or the first of the newest generation. */
  get shown(): string {
    return this._chosen || (this.tasks[0]?.id ?? '');
  }

  choose(task: string): void {
    this._chosen = task;
    this._changed.emit();
    void this._poll.refresh();
  }

  async cancel(): Promise<void> {
    await request<void>(this.path(), { method: 'DELETE' });
    void this._poll.refresh();
  }

  /** Look no more; what was seen stays. */
  stop(): void {
    void this._poll.stop();
  }

  dispose(): void {
    this._poll.dispose();
    Signal.clearData(this);
  }

  private async look(): Promise<void> {
    try {
      const view = await request<RequestView>(this.path()); // first, so that its end is followed by all it said
      this.view = view;
      const isAllProgress = await this.lookAtProgress();
      const isAllLog = await this.lookAtLog();
      this.problem = '';
      this.isComplete = isOver(view) && isAllProgress && isAllLog;
    } catch (error) {
      this.problem = sentenceOf(error);
      this.isComplete = error instanceof CapacityProblem && error.status === 404;
      if (!this.isComplete) {
        throw error; // the poll waits longer
      }
    } finally {
      this._changed.emit();
    }
    if (this.isComplete) {
      void this._poll.stop();
    }
  }

  private async lookAtProgress(): Promise<boolean> {
    const query = { after: String(this._after) };
    const page = await request<ProgressView>(this.path('progress'), { query });
    this.events.push(...page.events);
    this._after = page.next_after;
    return page.events.length === 0;
  }

  /** Read on in the shown task's log; answers whether there is no more to come now. */
  private async lookAtLog(): Promise<boolean> {
    const task = this.shown;
    if (task !== this._logOf) {
      this._logOf = task;
      this._offset = 0;
      this.log = '';
    }
    if (task === '' || !this.isLogRead) {
      return true;
    }
    const query = { task, offset: String(this._offset) };
    try {
      const piece = await request<LogView>(this.path('logs'), { query });
      this.log = (this.log + piece.text).slice(-SHOWN_CHARACTERS);
      this._offset = piece.next_offset;
      return piece.is_complete || piece.text === '';
    } catch (error) {
      if (error instanceof CapacityProblem && error.status === 404) {
        return true; // not launched yet, or its output was dropped
      }
      throw error;
    }
  }

  private path(more = ''): string {
    return `requests/${encodeURIComponent(this.id)}${more === '' ? '' : `/${more}`}`;
  }

  private _after = 0;
  private _offset = 0;
  private _chosen = '';
  private _logOf = '';
  private readonly _changed = new Signal<this, void>(this);
  private readonly _poll: Poll;
}
