// What the panels of a request share: why it waits, its curves, its workers and their logs.
import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';

import { Curve } from './curve';
import type { Following } from './following';
import { Notice } from './panel';
import { chartsOf, reached } from './series';
import type { RequestView, TaskView } from './wire';
import { taskLabel, timeTo } from './words';

export function Explanation({ view }: { view: RequestView }): React.JSX.Element {
  const why = view.explanation;
  const isWaiting = view.status === 'queued' || view.status === 'held';
  const { warning } = view;
  return (
    <>
      {isWaiting && why !== null && (
        <div className="capacity-Notice capacity-mod-waiting" aria-live="polite">
          {why.position !== null && (
            <strong>
              {why.position} of {why.waiting} in the queue.{' '}
            </strong>
          )}
          {why.sentence}
          {why.cure !== '' && <div className="capacity-Form-help">{why.cure}</div>}
          {why.expected_start !== null && (
            <div className="capacity-Form-help">{why.expected_start.sentence}</div>
          )}
        </div>
      )}
      {warning !== null && (
        <div className="capacity-Notice capacity-mod-waiting" role="status">
          {warning.why} <strong>It is stopped {timeTo(warning.until)}.</strong>
        </div>
      )}
      <Notice text={view.message} tone={view.outcome === 'failed' ? 'bad' : 'neutral'} />
      {view.kind === 'serving' && view.url !== null && (
        <p>
          It answers at <a href={view.url}>{view.url}</a>
        </p>
      )}
    </>
  );
}

export function Curves({ following }: { following: Following }): React.JSX.Element | null {
  const charts = chartsOf(following.events);
  const now = reached(following.events);
  if (charts.length === 0 && now === null) {
    return null;
  }
  return (
    <section aria-label="Progress">
      {now !== null && (
        <div className="capacity-Progress">
          <progress max={now[1]} value={now[0]} aria-label="Epochs" />
          <span>
            epoch {now[0]} of {now[1]}
          </span>
        </div>
      )}
      <div className="capacity-Curves">
        {charts.map(chart => (
          <Curve key={chart.metric} chart={chart} />
        ))}
      </div>
    </section>
  );
}

interface WorkersProps {
  following: Following;
  /** Lines of the log that are shown elsewhere. */
  hidden?: RegExp;
}

export function Workers({ following, hidden }: WorkersProps): React.JSX.Element | null {
  const id = React.useId();
  const tasks = following.tasks;
  if (tasks.length === 0) {
    return null;
  }
  return (
    <section aria-label="Workers">
      <div className="capacity-Log-head">
        <label htmlFor={id}>Log of</label>
        <HTMLSelect
          id={id}
          value={following.shown}
          onChange={event => following.choose(event.target.value)}
        >
          {tasks.map(task => (
            <option key={task.id} value={task.id}>
              {taskLabel(task)}
            </option>
          ))}
        </HTMLSelect>
        <Where task={tasks.find(task => task.id === following.shown)} />
      </div>
      <Log text={hidden === undefined ? following.log : following.log.replace(hidden, '')} />
    </section>
  );
}

function Where({ task }: { task: TaskView | undefined }): React.JSX.Element | null {
  return task === undefined ? null : (
    <span className="capacity-Form-help">
      on node {task.node}
      {task.message === '' ? '' : `: ${task.message}`}
    </span>
  );
}

/** Stays at the end while the reader is there. */
function Log({ text }: { text: string }): React.JSX.Element {
  const box = React.useRef<HTMLPreElement>(null);
  const isAtEnd = React.useRef(true);
  React.useLayoutEffect(() => {
    if (box.current !== null && isAtEnd.current) {
      box.current.scrollTop = box.current.scrollHeight;
    }
  }, [text]);
  return (
    <pre
      ref={box}
      className="capacity-Log"
      tabIndex={0}
      aria-label="Log"
      onScroll={event => {
        const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
        isAtEnd.current = scrollTop + clientHeight > scrollHeight - 20;
      }}
    >
      {text === '' ? 'Nothing was printed yet.' : text}
    </pre>
  );
}
