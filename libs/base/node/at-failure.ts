import process from 'node:process';

/** The listener itself holds what it tells, so that there is one for all copies of this module. */
interface Notes {
  (code: number): void;
  tuttiNotes?: string[];
}

const NOTES_MAX = 20;

/** Says so on stderr if the process ends with a failure: the last of them, once each. */
export function sayAtFailure(note: string): void {
  const known = process.listeners('exit').find((one): one is Notes => 'tuttiNotes' in one) as Notes | undefined;
  const notes = known?.tuttiNotes ?? begin();
  const at = notes.indexOf(note);
  if (at >= 0) notes.splice(at, 1);
  notes.push(note);
  if (notes.length > NOTES_MAX) notes.shift();
}

function begin(): string[] {
  const notes: string[] = [];
  const listener: Notes = (code) => {
    if ((process.exitCode ?? code) !== 0) process.stderr.write(notes.map((note) => `${note}\n`).join(''));
  };
  listener.tuttiNotes = notes;
  process.on('exit', listener);
  return notes;
}
