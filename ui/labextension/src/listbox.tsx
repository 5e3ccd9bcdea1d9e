// A list that the keyboard and a screen reader know their way in.
import * as React from 'react';

interface ListboxProps<T> {
  label: string;
  items: readonly T[];
  keyOf: (item: T) => string;
  selected: string | null;
  onSelect: (item: T) => void;
  onOpen: (item: T) => void;
  onUp?: () => void;
  onDelete?: (item: T) => void;
  draw: (item: T) => React.ReactNode;
}

/** One stop for the Tab key; arrows move, Enter opens, Backspace goes up, Delete deletes. */
export function Listbox<T>(props: ListboxProps<T>): React.JSX.Element {
  const { items, keyOf, selected } = props;
  const id = React.useId();
  const box = React.useRef<HTMLUListElement>(null);
  const at = items.findIndex(item => keyOf(item) === selected);
  React.useEffect(() => {
    box.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' });
  }, [selected]);
  const onKeyDown = (event: React.KeyboardEvent) => {
    const act = keyed(event.key, at, props);
    if (act !== null) {
      event.preventDefault();
      event.stopPropagation();
      act();
    }
  };
  return (
    <ul
      ref={box}
      className="capacity-Lake-list"
      role="listbox"
      tabIndex={0}
      aria-label={props.label}
      aria-activedescendant={at < 0 ? undefined : `${id}-${at}`}
      onKeyDown={onKeyDown}
    >
      {items.map((item, number) => (
        <li
          key={keyOf(item)}
          id={`${id}-${number}`}
          role="option"
          aria-selected={number === at}
          onClick={() => props.onSelect(item)}
          onDoubleClick={() => props.onOpen(item)}
        >
          {props.draw(item)}
        </li>
      ))}
    </ul>
  );
}

function keyed<T>(key: string, at: number, props: ListboxProps<T>): (() => void) | null {
  const { items, onSelect, onOpen, onUp, onDelete } = props;
  const item = items[at];
  const moveTo = (to: number) => () => {
    const target = items[Math.min(Math.max(to, 0), items.length - 1)];
    if (target !== undefined) {
      onSelect(target);
    }
  };
  switch (key) {
    case 'ArrowDown':
      return moveTo(at + 1);
    case 'ArrowUp':
      return moveTo(at < 0 ? 0 : at - 1);
    case 'Home':
      return moveTo(0);
    case 'End':
      return moveTo(items.length - 1);
    case 'Enter':
      return item === undefined ? null : () => onOpen(item);
    case 'Backspace':
      return onUp ?? null;
    case 'Delete':
      return item === undefined || onDelete === undefined ? null : () => onDelete(item);
    default:
      return null;
  }
}
