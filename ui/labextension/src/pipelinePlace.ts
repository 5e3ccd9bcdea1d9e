// What brings a pipeline's panel back after the page was loaded again.
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

export interface PipelinePlace {
  /** The request; empty where the push started none. */
  id: string;
  name: string;
  remote: string;
  commit: string;
  /** False where the same stood there already, and nothing was pushed. */
  is_new: boolean;
  /** The notebook that it was made of; empty where that is not known. */
  notebook: string;
  lines: string[];
}

export const COMMIT_DIGITS = 12;

export function panelId(place: PipelinePlace): string {
  return `capacity-pipeline-${place.id === '' ? place.commit : place.id}`;
}

/** Read a place from a command's arguments. */
export function placeOf(args: ReadonlyPartialJSONObject): PipelinePlace {
  const text = (name: string) => String(args[name] ?? '');
  const lines = args['lines'];
  return {
    id: text('id'),
    name: text('name'),
    remote: text('remote'),
    commit: text('commit'),
    is_new: args['is_new'] !== false,
    notebook: text('notebook'),
    lines: Array.isArray(lines) ? lines.map(String) : []
  };
}
