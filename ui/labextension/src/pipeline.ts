// A pipeline's run, followed with what its steps ask for: the training job's curve, the model server's address.
import { ISignal, Signal } from '@lumino/signaling';

import { Following } from './following';
import { request } from './request';
import type { PipelinePayload, ProgressEvent, RequestView, StepEvent } from './wire';
import { isOver, Tone } from './words';

export type StepName = StepEvent['step'];

/** What a step is for, in their order. */
export const STEPS: ReadonlyArray<readonly [StepName, string]> = [
  ['train', 'Train'],
  ['test', 'Test'],
  ['optimise', 'Optimise'],
  ['store', 'Store'],
  ['verify', 'Verify'],
  ['serve', 'Serve']
];

export interface StepSaid {
  sign: string;
  word: string;
  tone: Tone;
}

const SAID: Record<StepEvent['state'], StepSaid> = {
  running: { sign: '▶', word: 'running', tone: 'running' },
  done: { sign: '✓', word: 'done', tone: 'good' },
  skipped: { sign: '↷', word: 'skipped', tone: 'neutral' },
  failed: { sign: '✗', word: 'failed', tone: 'bad' },
  cancelled: { sign: '■', word: 'cancelled', tone: 'neutral' }
};
const TO_COME: StepSaid = { sign: '·', word: 'to come', tone: 'waiting' };
const NOT_RUN: StepSaid = { sign: '–', word: 'not run', tone: 'neutral' };
const CUT_OFF: StepSaid = { sign: '✗', word: 'cut off', tone: 'bad' };

export interface PipelineStepView {
  name: StepName;
  title: string;
  said: StepSaid;
  event: StepEvent | null;
  /** What the step asked for, followed while the pipeline runs. */
  child: Following | null;
}

export class Pipeline {
  readonly run: Following;

  constructor(id: string) {
    this.run = new Following(id);
    this.run.changed.connect(this.onRun, this);
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get id(): string {
    return this.run.id;
  }

  /** The steps in their order; those that this run leaves out are not among them. */
  get steps(): PipelineStepView[] {
    const { view } = this.run;
    const wanted = view?.payload.kind === 'pipeline' ? view.payload.steps : [];
    return STEPS.filter(([name]) => wanted.length === 0 || wanted.includes(name)).map(
      ([name, title]) => this.viewOf(name, title)
    );
  }

  cancel(): Promise<void> {
    return this.run.cancel();
  }

  /** The same commit and steps as a run of its own. */
  again(): Promise<RequestView> {
    return request<RequestView>(`requests/${encodeURIComponent(this.id)}/again`, {
      method: 'POST'
    });
  }

  dispose(): void {
    this.run.dispose();
    this._children.forEach(child => child.dispose());
    Signal.clearData(this);
  }

  private viewOf(name: StepName, title: string): PipelineStepView {
    const event = this._events.get(name) ?? null;
    const child = event?.request ? (this._children.get(event.request) ?? null) : null;
    return { name, title, said: this.saidOf(event), event, child };
  }

  private saidOf(event: StepEvent | null): StepSaid {
    const isEnd = this.run.view !== null && isOver(this.run.view) && this.run.isComplete;
    if (event === null) {
      return isEnd ? NOT_RUN : TO_COME;
    }
    return isEnd && event.state === 'running' ? CUT_OFF : SAID[event.state];
  }

  private onRun(): void {
    for (const line of this.run.events.slice(this._read)) {
      const event = stepOf(line);
      if (event !== null) {
        this.hear(event);
      }
    }
    this._read = this.run.events.length;
    this._changed.emit();
  }

  private hear(event: StepEvent): void {
    const before = this._events.get(event.step);
    const asked = event.request ?? before?.request ?? null;
    this._events.set(event.step, { ...event, request: asked });
    if (asked !== null && !this._children.has(asked)) {
      const child = new Following(asked, false);
      child.changed.connect(() => this.onChild(child));
      this._children.set(asked, child);
    }
  }

  /** A model server has no end to be followed to: with the pipeline's, its address is known. */
  private onChild(child: Following): void {
    if (this.run.isComplete && child.view?.kind === 'serving') {
      child.stop();
    }
    this._changed.emit();
  }

  private _read = 0;
  private readonly _events = new Map<StepName, StepEvent>();
  private readonly _children = new Map<string, Following>();
  private readonly _changed = new Signal<this, void>(this);
}

export function payloadOf(view: RequestView): PipelinePayload | null {
  return view.payload.kind === 'pipeline' ? view.payload : null;
}

/** A line of progress is anybody's: it counts where it has the form of ours. */
function stepOf({ data }: ProgressEvent): StepEvent | null {
  const { event, step, state } = data;
  const name = STEPS.find(([known]) => known === step)?.[0];
  if (event !== 'step' || name === undefined || typeof state !== 'string' || !(state in SAID)) {
    return null;
  }
  return {
    event: 'step',
    step: name,
    state: state as StepEvent['state'],
    number: typeof data.number === 'number' ? data.number : 0,
    of: typeof data.of === 'number' ? data.of : STEPS.length,
    result: typeof data.result === 'string' ? data.result : '',
    seconds: typeof data.seconds === 'number' ? data.seconds : null,
    request: typeof data.request === 'string' ? data.request : null,
    rows: Array.isArray(data.rows)
      ? data.rows.filter(Array.isArray).map(row => row.map(String))
      : []
  };
}
