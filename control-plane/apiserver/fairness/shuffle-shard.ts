/**
 * Deals `handSize` different cards out of a deck of `deckSize`, the same ones for the same text: the queues that a flow
 * may use. Two flows share all of their queues with a probability that falls with each card, so that one flow that
 * floods its queues leaves nearly every other one a queue of its own.
 */
export function deal(text: string, deckSize: number, handSize: number): number[] {
  const size = Math.min(handSize, deckSize);
  let state = hash(text);
  const hand: number[] = [];
  while (hand.length < size) {
    state = scramble(state);
    let card = state % (deckSize - hand.length);
    // The n-th card that is still in the deck.
    for (const taken of [...hand].sort((a, b) => a - b)) if (card >= taken) card++;
    hand.push(card);
  }
  return hand;
}

/** FNV-1a in 32 bits. */
function hash(text: string): number {
  let state = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193);
  return state >>> 0;
}

function scramble(value: number): number {
  let x = (value + 0x9e3779b9) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 0;
}
