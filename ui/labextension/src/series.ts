// The curves of a job: what its workers printed as progress, as lines per metric and worker.
import type { ProgressEvent } from './wire';

export interface Point {
  x: number;
  y: number;
}

export interface Line {
  worker: number;
  points: Point[];
}

export interface Chart {
  metric: string;
  lines: Line[];
  /** The epoch before each restart. */
  restarts: number[];
}

interface Step {
  epoch: number;
  of: number | null;
  metrics: Record<string, unknown>;
}

/** One chart per metric. An epoch that a later generation did again counts as that one said it. */
export function chartsOf(events: readonly ProgressEvent[]): Chart[] {
  const charts = new Map<string, Map<number, Map<number, number>>>();
  const restarts = restartsOf(events);
  for (const event of events) {
    const step = stepOf(event);
    for (const [metric, value] of Object.entries(step?.metrics ?? {})) {
      if (step !== null && typeof value === 'number') {
        const workers = obtained(charts, metric, () => new Map<number, Map<number, number>>());
        const points = obtained(workers, event.index, () => new Map<number, number>());
        points.set(step.epoch, value);
      }
    }
  }
  return [...charts].map(([metric, workers]) => ({ metric, lines: linesOf(workers), restarts }));
}

/** How far the first worker is: `[30, 50]` is epoch 30 of 50. */
export function reached(events: readonly ProgressEvent[]): [number, number] | null {
  for (const event of [...events].reverse()) {
    const step = stepOf(event);
    if (step !== null && step.of !== null) {
      return [step.epoch, step.of];
    }
  }
  return null;
}

function stepOf(event: ProgressEvent): Step | null {
  const { epoch, of, metrics } = event.data;
  if (typeof epoch !== 'number') {
    return null;
  }
  const isRecord = typeof metrics === 'object' && metrics !== null;
  return {
    epoch,
    of: typeof of === 'number' ? of : null,
    metrics: isRecord ? (metrics as Record<string, unknown>) : {}
  };
}

function restartsOf(events: readonly ProgressEvent[]): number[] {
  const first = new Map<number, number>();
  for (const event of events) {
    const step = stepOf(event);
    if (step !== null) {
      first.set(event.generation, Math.min(first.get(event.generation) ?? Infinity, step.epoch));
    }
  }
  const oldest = Math.min(...first.keys());
  return [...first].filter(([generation]) => generation !== oldest).map(([, epoch]) => epoch);
}

function linesOf(workers: Map<number, Map<number, number>>): Line[] {
  return [...workers]
    .sort(([a], [b]) => a - b)
    .map(([worker, points]) => ({
      worker,
      points: [...points].sort(([a], [b]) => a - b).map(([x, y]) => ({ x, y }))
    }));
}

function obtained<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) {
    return known;
  }
  const made = make();
  map.set(key, made);
  return made;
}
