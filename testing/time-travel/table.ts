/** A server's Table, as far as it is printed. */
export interface ServerTable {
  readonly columnDefinitions: readonly { readonly name: string; readonly priority: number }[];
  readonly rows?: readonly {
    readonly cells: readonly unknown[];
    readonly object?: { readonly metadata?: { readonly namespace?: string } };
  }[];
}

const GAP = 3;

/** Lines of a table as `kubectl get` prints it; without rows nothing. */
export function printTable({ columnDefinitions, rows = [] }: ServerTable, withNamespace: boolean): string {
  if (rows.length === 0) return '';
  const shown = columnDefinitions.flatMap(({ priority }, at) => (priority === 0 ? [at] : []));
  const head = shown.map((at) => columnDefinitions[at]?.name.toUpperCase() ?? '');
  const lines = rows.map(({ cells, object }) => {
    const texts = shown.map((at) => String(cells[at] ?? ''));
    return withNamespace ? [object?.metadata?.namespace ?? '', ...texts] : texts;
  });
  const all = [withNamespace ? ['NAMESPACE', ...head] : head, ...lines];
  const widths = (all[0] as string[]).map((_, at) => Math.max(...all.map((line) => line[at]?.length ?? 0)));
  return all
    .map(
      (line) =>
        `${line
          .map((text, at) => text.padEnd((widths[at] ?? 0) + GAP))
          .join('')
          .trimEnd()}\n`,
    )
    .join('');
}
