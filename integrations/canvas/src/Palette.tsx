// The palette: a button for each card of the catalog, by category.

import type { Card, Catalog } from "./types";

export function Palette({ catalog, onAdd }: { catalog: Catalog; onAdd(type: string, card: Card): void }) {
  const cards = Object.values(catalog.types);
  return (
    <nav className="palette" aria-label="Palette">
      {catalog.categories.map((category) => {
        const own = cards.filter((card) => card.category === category);
        if (!own.length) return null;
        return (
          <section key={category} aria-label={category}>
            <h2>{category}</h2>
            {own.map((card) => (
              <button key={card.type_id} type="button" title={card.description} onClick={() => onAdd(card.type_id, card)}>
                <span className="block-colour" style={{ background: card.color }} aria-hidden="true" />
                {card.display_name}
              </button>
            ))}
          </section>
        );
      })}
    </nav>
  );
}
