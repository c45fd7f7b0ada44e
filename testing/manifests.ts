import type { Files } from '../libs/base/host.ts';
import type { ApiObject } from '../libs/kind/object.ts';
import { yamlToJson } from '../libs/machinery/codec/yaml.ts';
import { ManifestError } from './errors.ts';

/** A folder or file, YAML or JSON text, objects, or several of these. */
export type ManifestSource = string | object | readonly ManifestSource[];

export interface Manifest {
  readonly object: ApiObject & { readonly metadata: { readonly name?: string; readonly generateName?: string } };
  /** `manifests/web.yaml, document 2 (line 14)` */
  readonly where: string;
}

const MANIFEST = /\.(ya?ml|json)$/;

/**
 * Everything that manifests say, in the order of files' names and of documents, lists taken apart. Throws `ManifestError`
 * with file, document and line.
 */
export async function readManifests(source: ManifestSource, files: Files): Promise<Manifest[]> {
  if (Array.isArray(source)) {
    const all = await Promise.all(source.map((one: ManifestSource) => readManifests(one, files)));
    return all.flat();
  }
  if (typeof source !== 'string') return objectsOf(source, 'the object handed in');
  // A text has lines or a colon and a space; a path has neither.
  if (/[\n{]|: |^\s*$/.test(source)) return parse(source, 'the text handed in');
  return readPath(source, files);
}

async function readPath(given: string, files: Files): Promise<Manifest[]> {
  const path = given.length > 1 ? given.replace(/[/\\]+$/, '') : given;
  const stat = await files.statIfExists(path);
  if (!stat) throw new ManifestError(`there is no file or folder "${given}"`, given);
  if ((await files.stat(path)).kind !== 'directory') return parse(await files.readText(path), given);
  const names = (await files.list(path)).filter((name) => MANIFEST.test(name));
  if (names.length === 0) throw new ManifestError(`the folder "${given}" holds no .yaml, .yml or .json file`, given);
  const prefix = given.replace(/\/+$/, '');
  const all = await Promise.all(
    names.map(async (name) => parse(await files.readText(`${path}/${name}`), `${prefix}/${name}`)),
  );
  return all.flat();
}

/** Documents with the line on which each begins, from 1. */
function documentsOf(text: string): { readonly text: string; readonly line: number }[] {
  const documents: { text: string; line: number }[] = [];
  let lines: string[] = [];
  let line = 1;
  const end = () => {
    if (lines.some((one) => one.trim() !== '' && !/^\s*#/.test(one))) documents.push({ text: lines.join('\n'), line });
  };
  for (const [index, one] of text.split(/\r?\n/).entries()) {
    if (/^---(\s|$)/.test(one)) {
      end();
      lines = [one.slice(3).replace(/^\s+#.*$/, '')];
      line = index + 1;
    } else lines.push(one);
  }
  end();
  return documents;
}

function parse(text: string, file: string): Manifest[] {
  return documentsOf(text).flatMap((document, index, all) => {
    const number = all.length > 1 ? `, document ${index + 1}` : '';
    let value: unknown;
    try {
      const { json, duplicates } = yamlToJson(document.text);
      if (duplicates.length > 0) throw new Error(duplicates.join('; '));
      value = JSON.parse(json);
    } catch (error) {
      const message = (error as Error).message.replace(/^yaml: /, '');
      const inside = Number(/\bline (\d+)/.exec(message)?.[1] ?? 1);
      const line = document.line + inside - 1;
      const words = message.replace(/\bline \d+: ?/, '');
      throw new ManifestError(`${file}${number}, line ${line}: ${words}`, `${file}:${line}`);
    }
    return objectsOf(value, `${file}${number} (line ${document.line})`);
  });
}

function objectsOf(value: unknown, where: string): Manifest[] {
  if (value === null || value === undefined) return [];
  const object = value as ApiObject & { items?: unknown[] };
  if (typeof value !== 'object' || Array.isArray(value))
    throw new ManifestError(
      `${where}: an object of the API is wanted, not ${JSON.stringify(value).slice(0, 40)}`,
      where,
    );
  const { kind, apiVersion, metadata } = object;
  if (!kind || !apiVersion) throw new ManifestError(`${where}: ${kind ? 'apiVersion' : 'kind'} is missing`, where);
  if (kind.endsWith('List') && Array.isArray(object.items))
    return object.items.flatMap((item, index) => objectsOf(item, `${where}, item ${index + 1}`));
  if (!metadata?.name && !metadata?.generateName)
    throw new ManifestError(`${where}: ${kind} has no metadata.name`, where);
  return [{ object: object as Manifest['object'], where }];
}
