// `tutti completion`: what a shell needs to complete our command lines, made from the commands' own help.

import process from 'node:process';
import { CommandError } from '../errors.ts';
import { say } from '../spoken.ts';
import { COMMANDS } from './commands.ts';
import { parseOptions } from './options.ts';

export const USAGE = `tutti completion: let a shell complete command lines of tutti
usage: tutti completion bash|zsh|fish
  --help                 print this text
examples:
  source <(tutti completion bash)
  tutti completion zsh > "\${fpath[1]}/_tutti"
  tutti completion fish > ~/.config/fish/completions/tutti.fish
`;

const OPTIONS = { help: { type: 'boolean', short: 'h' } } as const;

export interface CompletedCommand {
  readonly name: string;
  readonly summary: string;
  readonly verbs: readonly string[];
  readonly options: readonly string[];
}

/** Resolves with the exit code. */
export async function completion(args: readonly string[]): Promise<number> {
  const { values, words } = parseOptions('completion', args, OPTIONS, { min: 1, what: 'bash, zsh or fish' });
  if (values.help) {
    say(USAGE);
    return 0;
  }
  const shell = words[0] as string;
  const write = Object.hasOwn(SHELLS, shell) ? SHELLS[shell] : undefined;
  if (write === undefined) throw new CommandError(`"tutti completion" knows bash, zsh and fish, not "${shell}".`, 2);
  process.stdout.write(write(await completedCommands()));
  return 0;
}

/** All commands with the options that their help lists. */
export async function completedCommands(): Promise<CompletedCommand[]> {
  return Promise.all(
    Object.entries(COMMANDS).map(async ([name, { summary, verbs = [], load }]) => ({
      name,
      summary: summary.replaceAll("'", '’'),
      verbs,
      options: optionsOf((await load()).usage),
    })),
  );
}

/** `--data-dir`, … : the words at the beginning of the help's lines. */
export const optionsOf = (usage: string): string[] =>
  [...usage.matchAll(/^ {2}(--[a-z][a-z-]*)/gm)].map(([, option]) => option as string);

const SHELLS: Readonly<Record<string, (commands: readonly CompletedCommand[]) => string>> = {
  bash: (commands) => `_tutti() {
  local word=\${COMP_WORDS[COMP_CWORD]} words=
  if [ "$COMP_CWORD" -eq 1 ]; then
    words='${commands.map(({ name }) => name).join(' ')} help --help'
  else
    case \${COMP_WORDS[1]} in
${commands
  .map(
    ({ name, verbs, options }) =>
      `      ${name}) words='${options.join(' ')}'${verbs.length > 0 ? `; [ "$COMP_CWORD" -ne 2 ] || words="$words ${verbs.join(' ')}"` : ''} ;;`,
  )
  .join('\n')}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  # Nothing of ours fits: a file may.
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$word"))
}
complete -F _tutti tutti
`,
  zsh: (commands) => `#compdef tutti
_tutti() {
  local -a commands=(${commands.map(({ name, summary }) => `'${name}:${summary}'`).join(' ')})
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case $words[2] in
${commands
  .map(
    ({ name, verbs, options }) =>
      `    ${name}) compadd -- ${options.join(' ')}${verbs.length > 0 ? `; (( CURRENT != 3 )) || compadd -- ${verbs.join(' ')}` : ''} ;;`,
  )
  .join('\n')}
  esac
  [[ $PREFIX == -* ]] || _files
}
if [ "$funcstack[1]" = _tutti ]; then _tutti "$@"; else compdef _tutti tutti; fi
`,
  fish: (commands) =>
    commands
      .flatMap(({ name, summary, verbs, options }) => [
        `complete -c tutti -n __fish_use_subcommand -a ${name} -d '${summary}'`,
        ...(verbs.length > 0
          ? [`complete -c tutti -n '__fish_seen_subcommand_from ${name}' -a '${verbs.join(' ')}'`]
          : []),
        ...options.map((option) => `complete -c tutti -n '__fish_seen_subcommand_from ${name}' -l ${option.slice(2)}`),
      ])
      .map((line) => `${line}\n`)
      .join(''),
};
