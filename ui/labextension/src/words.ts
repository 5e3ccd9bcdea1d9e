// How amounts and states are said to people.
import type { RequestView, TaskView } from './wire';

export type Tone = 'waiting' | 'running' | 'good' | 'bad' | 'neutral';

export interface Said {
  word: string;
  tone: Tone;
}

/** Where a request stands, in one word. */
export function stateOf(view: RequestView): Said {
  switch (view.status) {
    case 'queued':
    case 'held':
      return { word: 'Waiting', tone: 'waiting' };
    case 'withdrawn':
      return { word: 'Withdrawn', tone: 'neutral' };
    case 'ended':
      return outcomeOf(view);
    case 'active':
      return activity(view);
  }
}

function outcomeOf(view: RequestView): Said {
  switch (view.outcome) {
    case 'finished':
      return { word: 'Finished', tone: 'good' };
    case 'failed':
      return { word: 'Failed', tone: 'bad' };
    default:
      return { word: 'Stopped', tone: 'neutral' };
  }
}

function activity(view: RequestView): Said {
  if (view.is_ending) {
    return { word: 'Ending', tone: 'neutral' };
  }
  if (view.warning !== null) {
    return { word: 'Stops soon', tone: 'waiting' };
  }
  const isRunning = view.allocation?.state === 'running';
  return { word: isRunning ? 'Running' : 'Starting', tone: 'running' };
}

export function isOver(view: RequestView): boolean {
  return view.status === 'ended' || view.status === 'withdrawn';
}

/** `worker 0, generation 2: exited 1`. */
export function taskLabel(task: TaskView): string {
  const end = task.exit_code === null ? task.state : `exited ${task.exit_code}`;
  return `${task.role} ${task.index}, generation ${task.generation} (${end})`;
}

/** `3.4 MB`; an unknown size is not said. */
export function size(bytes: number | null): string {
  if (bytes === null) {
    return '';
  }
  const units = ['B', 'kB', 'MB', 'GB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const amount = bytes / 1000 ** power;
  return `${power === 0 ? amount : Number(amount.toPrecision(3))} ${units[power]}`;
}

/** At most so many digits that matter. */
export function short(value: number, digits = 4): string {
  return String(Number(value.toPrecision(digits)));
}

/** `digits 2.ipynb` becomes `digits-2`: what names a model. */
export function modelName(path: string): string {
  const stem = path.replace(/^.*\//, '').replace(/\.ipynb$/, '');
  const slug = stem
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '');
  return slug.slice(0, 40) || 'model';
}

/** How long it is until a moment in Unix seconds, in its two largest units. */
export function timeTo(until: number, now = Date.now() / 1000): string {
  const left = Math.max(0, Math.round(until - now));
  const parts = [
    [Math.floor(left / 86400), 'd'],
    [Math.floor((left % 86400) / 3600), 'h'],
    [Math.floor((left % 3600) / 60), 'min'],
    [left % 60, 's']
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  const shown = parts.slice(first, first + 2).filter(([count]) => count > 0);
  return first < 0 ? 'now' : `in ${shown.map(([count, unit]) => `${count} ${unit}`).join(' ')}`;
}

/** A Unix time in seconds as people here write it; an unknown one is not said. */
export function when(seconds: number | null): string {
  return seconds === null
    ? ''
    : new Date(seconds * 1000).toLocaleString(undefined, {
        dateStyle: 'short',
        timeStyle: 'short'
      });
}
