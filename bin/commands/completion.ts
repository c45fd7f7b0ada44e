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
  readonly options: readonly CompletedOption[];
  readonly files: boolean;
}

export interface CompletedOption {
  /** `--data-dir` */
  readonly word: string;
  /** Whether a value follows. */
  readonly value: boolean;
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
    Object.entries(COMMANDS).map(async ([name, { summary, verbs = [], files = false, load }]) => ({
      name,
      summary: summary.replaceAll("'", '’'),
      verbs,
      files,
      options: optionsOf((await load()).usage),
    })),
  );
}

/** The words at the beginning of the help's lines; what follows at once in capitals is a value. */
export const optionsOf = (usage: string): CompletedOption[] =>
  [...usage.matchAll(/^ {2}(--[a-z][a-z-]*)( [A-Z])?/gm)].map(([, word, value]) => ({
    word: word as string,
    value: value !== undefined,
  }));

const wordsOf = (options: readonly CompletedOption[]): string => options.map(({ word }) => word).join(' ');

/**
 * What each shell offers: commands first, then a command's verbs; options where a word begins with a dash or nothing else
 * can come; files after an option, whose value may be one, and where a command takes them.
 */
export const SHELLS: Readonly<Record<string, (commands: readonly CompletedCommand[]) => string>> = {
  bash: (commands) => `_tutti() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} verbs= options= files=
  if [ "$COMP_CWORD" -eq 1 ] || { [ "$COMP_CWORD" -eq 2 ] && [ "$before" = help ]; }; then
    COMPREPLY=($(compgen -W '${commands.map(({ name }) => name).join(' ')} help --help' -- "$word"))
    return
  fi
  case \${COMP_WORDS[1]} in
${commands
  .map(
    ({ name, verbs, options, files }) =>
      `    ${name}) verbs='${verbs.join(' ')}' options='${wordsOf(options)}'${files ? ' files=1' : ''} ;;`,
  )
  .join('\n')}
  esac
  if [[ $word == -* ]]; then COMPREPLY=($(compgen -W "$options" -- "$word"))
  elif [ "$COMP_CWORD" -eq 2 ] && [ -n "$verbs" ]; then COMPREPLY=($(compgen -W "$verbs" -- "$word"))
  elif [ -n "$files" ] || [[ $before == -* ]]; then COMPREPLY=($(compgen -f -- "$word"))
  else COMPREPLY=($(compgen -W "$options" -- "$word")); fi
}
complete -F _tutti tutti
`,
  zsh: (commands) => `#compdef tutti
_tutti() {
  local -a commands=(${commands.map(({ name, summary }) => `'${name}:${summary}'`).join(' ')}) verbs options files
  if (( CURRENT == 2 )) || [[ CURRENT -eq 3 && $words[2] == help ]]; then
    _describe command commands
    return
  fi
  case $words[2] in
${commands
  .map(
    ({ name, verbs, options, files }) =>
      `    ${name}) verbs=(${verbs.join(' ')}) options=(${wordsOf(options)})${files ? ' files=(1)' : ''} ;;`,
  )
  .join('\n')}
  esac
  if [[ $PREFIX == -* ]]; then compadd -- $options
  elif (( CURRENT == 3 && $#verbs )); then compadd -- $verbs
  elif (( $#files )) || [[ $words[CURRENT-1] == -* ]]; then _files
  else compadd -- $options; fi
}
if [ "$funcstack[1]" = _tutti ]; then _tutti "$@"; else compdef _tutti tutti; fi
`,
  fish: (commands) =>
    [
      'complete -c tutti -f',
      "complete -c tutti -n '__fish_seen_subcommand_from help' -a '" + commands.map(({ name }) => name).join(' ') + "'",
      ...commands.flatMap(({ name, summary, verbs, options, files }) => {
        const seen = `complete -c tutti -n '__fish_seen_subcommand_from ${name}'`;
        const bare = `__fish_seen_subcommand_from ${name}; and not __fish_seen_subcommand_from ${verbs.join(' ')}`;
        return [
          `complete -c tutti -n __fish_use_subcommand -a ${name} -d '${summary}'`,
          ...(verbs.length > 0 ? [`complete -c tutti -n '${bare}' -a '${verbs.join(' ')}'`] : []),
          ...(files ? [`${seen} -F`] : []),
          // Its value, where it takes one, may be a file.
          ...options.map(({ word, value }) => `${seen} -l ${word.slice(2)}${value ? ' -r -F' : ''}`),
        ];
      }),
    ]
      .map((line) => `${line}\n`)
      .join(''),
};
