/** Dragging with the mouse. Everything that is dragged can also be done by buttons and the dialog. */
import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { PortOf } from '../model/actions.js';

/** What is dragged: a device; from a guest's port, or from the host. */
export interface Dragged {
  readonly busid: string;
  readonly from?: PortOf | undefined;
}

const TYPE = 'application/x-pvusb';

/** Makes an element something that is dragged, or not. */
export function useDrag(dragged: Dragged | undefined): RefObject<HTMLDivElement | null> {
  const ref = useRef<HTMLDivElement>(null);
  const text = dragged === undefined ? undefined : JSON.stringify(dragged);
  useEffect(() => {
    const element = ref.current;
    if (!element || text === undefined) return;
    const begin = (event: DragEvent): void => {
      event.dataTransfer?.setData(TYPE, text);
      if (event.dataTransfer) event.dataTransfer.effectAllowed = 'move';
      document.body.classList.add('drags', ...(dragged?.from ? ['drags-back'] : []));
      event.stopPropagation();
    };
    const end = (): void => document.body.classList.remove('drags', 'drags-back');
    element.draggable = true;
    element.addEventListener('dragstart', begin);
    element.addEventListener('dragend', end);
    return () => {
      element.draggable = false;
      end();
      element.removeEventListener('dragstart', begin);
      element.removeEventListener('dragend', end);
    };
  }, [text]);
  return ref;
}

/** Makes an element take what is dropped on it, or on a part of it that `part` selects. */
export function useDrop<E extends HTMLElement>(
  part: string | undefined,
  dropped: ((dragged: Dragged, on: Element) => void) | undefined,
): RefObject<E | null> {
  const ref = useRef<E>(null);
  const latest = useRef(dropped);
  latest.current = dropped;
  const isOn = dropped !== undefined;
  useEffect(() => {
    const element = ref.current;
    if (!element || !isOn) return;
    let marked: Element | undefined;
    const mark = (now: Element | undefined): void => {
      if (now === marked) return;
      marked?.classList.remove('over');
      now?.classList.add('over');
      marked = now;
    };
    const targetOf = (event: DragEvent): Element =>
      (part !== undefined && event.target instanceof Element && event.target.closest(part)) || element;
    const over = (event: DragEvent): void => {
      if (!event.dataTransfer?.types.includes(TYPE)) return;
      event.preventDefault();
      mark(targetOf(event));
    };
    const leave = (event: DragEvent): void => {
      if (!(event.relatedTarget instanceof Node) || !element.contains(event.relatedTarget)) mark(undefined);
    };
    const drop = (event: DragEvent): void => {
      const text = event.dataTransfer?.getData(TYPE);
      mark(undefined);
      if (!text) return;
      event.preventDefault();
      latest.current?.(JSON.parse(text) as Dragged, targetOf(event));
    };
    element.addEventListener('dragover', over);
    element.addEventListener('dragleave', leave);
    element.addEventListener('drop', drop);
    return () => {
      mark(undefined);
      element.removeEventListener('dragover', over);
      element.removeEventListener('dragleave', leave);
      element.removeEventListener('drop', drop);
    };
  }, [part, isOn]);
  return ref;
}
