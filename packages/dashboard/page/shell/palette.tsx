import { type KeyboardEvent, type ReactElement, useId, useState } from "react";
import { useLocation } from "wouter";
import { queueAddress } from "../words/addresses.ts";
import { type Place, placesFor, stepOf } from "./keys.ts";
import { useModal } from "./modal.ts";
import { useOverview, usePlaces } from "../questions/questions.ts";

/** Goes to a page, a queue or a job by what is typed. */
export function Palette({ onClose }: { readonly onClose: () => void }): ReactElement {
  const dialog = useModal();
  const list = useId();
  const [, navigate] = useLocation();
  const [typed, setTyped] = useState("");
  const [chosen, setChosen] = useState(0);
  const queues = useOverview().data?.queues ?? [];
  const pages = usePlaces();
  const places = placesFor(typed, [
    ...pages.map(([path, name]) => ({ path, name, kind: "page" }) as const),
    ...queues.map(({ queue }): Place => ({
      path: queueAddress(queue),
      name: queue,
      kind: "queue",
    })),
  ]);
  const go = (place: Place | undefined): void => {
    if (place === undefined) return;
    navigate(place.path);
    dialog.current?.close();
  };
  const press = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      setChosen(stepOf(chosen, places.length, event.key === "ArrowDown" ? "next" : "previous"));
    } else if (event.key === "Enter") {
      event.preventDefault();
      go(places[chosen]);
    }
  };
  return (
    <dialog ref={dialog} aria-label="Go to" className="palette" onClose={onClose}>
      <input
        role="combobox"
        aria-expanded="true"
        aria-controls={list}
        aria-activedescendant={places.length === 0 ? undefined : `${list}-${chosen}`}
        aria-label="Page, queue or job id"
        placeholder="Page, queue or job id"
        autoComplete="off"
        spellCheck={false}
        value={typed}
        onKeyDown={press}
        onChange={(event) => {
          setTyped(event.target.value);
          setChosen(0);
        }}
      />
      <ul role="listbox" id={list} aria-label="Places">
        {places.map((place, index) => (
          <li
            key={`${place.kind} ${place.path}`}
            id={`${list}-${index}`}
            role="option"
            aria-selected={index === chosen}
            onClick={() => go(place)}
          >
            {place.name} <span className="quiet">{place.kind}</span>
          </li>
        ))}
      </ul>
      {places.length === 0 ? <p className="quiet">Nothing is called so.</p> : null}
    </dialog>
  );
}
