/**
 * The scripts that make a shell complete: they pass the words that were typed to `pvusb complete`, and offer what it
 * prints. No word is ever evaluated, neither a typed one nor an offered one: no `eval`, no `compgen -W`, and where a
 * shell's own file name completion would run what is in backticks, it is not used.
 *
 * `pvusb complete -- WORD... CURRENT` prints a line for each word that may replace the last one: the word, a tab, what
 * it stands for. The line `:files` or `:folders` says that the shell's own names are expected there.
 */

const BASH = `# Completion of pvusb for bash.

_pvusb() {
  local line=\${COMP_LINE:0:COMP_POINT} words=() word kept='' at sign
  # bash splits words at colons and equals signs too; those that no blank divides belong together. Of the last one only what
  # stands before the cursor counts.
  for ((at = 0; at <= COMP_CWORD; at++)); do
    word=\${COMP_WORDS[at]}
    if [[ at -eq 0 || $line == [[:space:]]* ]]; then
      line=\${line#"\${line%%[![:space:]]*}"}
      words+=('')
    fi
    if [[ at -eq COMP_CWORD ]]; then word=$line; fi
    words[\${#words[@]} - 1]+=$word
    line=\${line#"$word"}
  done
  word=\${words[\${#words[@]} - 1]}
  # What stands before an equals sign or a colon is no part of what bash replaces.
  for sign in = :; do
    if [[ $COMP_WORDBREAKS != *"$sign"* || $word != *"$sign"* ]]; then continue; fi
    line=\${word%"\${word##*"$sign"}"}
    if [[ \${#line} -gt \${#kept} ]]; then kept=$line; fi
  done
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :files) compopt -o default ;;
      :folders) compopt -o dirnames ;;
      *)
        line=\${line%%$'\\t'*}
        COMPREPLY+=("\${line#"$kept"}")
        ;;
    esac
  done < <(pvusb complete -- "\${words[@]:1}" 2>/dev/null)
}

complete -F _pvusb pvusb
`;

const ZSH = `#compdef pvusb
# Completion of pvusb for zsh.

_pvusb() {
  local line paths=''
  local -a typed offers
  typed=("\${(@)words[2,CURRENT-1]}" "$PREFIX")
  if (( CURRENT == 2 )); then typed=("$PREFIX"); fi
  while IFS= read -r line; do
    case $line in
      (:*) paths=$line ;;
      (*) offers+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}") ;;
    esac
  done < <(pvusb complete -- "\${(@)typed}" 2>/dev/null)
  if (( \${#offers} )); then _describe -t words word offers; fi
  # zsh runs what stands in backticks when it looks for files.
  if [[ -z $paths || $PREFIX$SUFFIX == *[\\$\\\`]* ]]; then return; fi
  compset -P '--*='
  if [[ $paths == :files ]]; then _files; else _files -/; fi
}

# Found by compinit this file is the function's body; sourced it is a script.
if [[ \${funcstack[1]} == _pvusb ]]; then
  _pvusb "$@"
elif (( \${+functions[compdef]} )); then
  compdef _pvusb pvusb
fi
`;

const FISH = `# Completion of pvusb for fish.

function __pvusb_offers
    set -l words (commandline -opc)
    set -e words[1]
    set -l current (commandline -ct)
    set -l option (string match -r -- '^--[^=]*=' "$current")
    set -l path (string sub -s (math 1 + (string length -- "$option")) -- "$current")
    for line in (pvusb complete -- $words "$current" 2>/dev/null)
        switch $line
            case :files
                for name in (complete -C "'' $path")
                    printf '%s\\n' "$option$name"
                end
            case :folders
                for name in (complete -C "'' $path" | string match -r '.*/$')
                    printf '%s\\n' "$option$name"
                end
            case '*'
                printf '%s\\n' $line
        end
    end
end

complete -e -c pvusb
complete -c pvusb -f -a '(__pvusb_offers)'
`;

/** The scripts, by shell. */
export const COMPLETION_SCRIPTS: ReadonlyMap<string, string> = new Map([
  ['bash', BASH],
  ['zsh', ZSH],
  ['fish', FISH],
]);
