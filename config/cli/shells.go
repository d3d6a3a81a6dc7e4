package cli

import (
	"bytes"
	"errors"
	"strings"

	"github.com/spf13/cobra"
)

// Cobra's completions for zsh and fish evaluate the line as far as it was typed. In zsh a line that would run or write
// something is not completed; in fish the words are quoted, so that they are taken as they stand.
const (
	zshBegin = "_hbjournal()\n{\n"
	zshGuard = zshBegin + `    local word
    for word in "${words[@]}"; do
        case $word in
            (*'` + "`" + `'* | *'$('* | '<'* | '>'* | '=('*) return ;;
        esac
    done
`
	fishWords  = "    set -l args (commandline -opc)\n"
	fishQuoted = fishWords + "    set args $args[1] (string escape -- $args[2..-1])\n"
)

var errCompletionChanged = errors.New("the completion of this shell cannot be guarded: it is not the one that is known")

// guardZsh and guardFish print the completion of a shell with its guard.
func guardZsh(cmd *cobra.Command, _ []string) error {
	var script bytes.Buffer
	generate := cmd.Root().GenZshCompletion
	if isBare(cmd) {
		generate = cmd.Root().GenZshCompletionNoDesc
	}
	if err := generate(&script); err != nil {
		return err
	}
	return printGuarded(cmd, script.String(), zshBegin, zshGuard)
}

func guardFish(cmd *cobra.Command, _ []string) error {
	var script bytes.Buffer
	if err := cmd.Root().GenFishCompletion(&script, !isBare(cmd)); err != nil {
		return err
	}
	return printGuarded(cmd, script.String(), fishWords, fishQuoted)
}

// isBare reports whether the completion is to come without descriptions.
func isBare(cmd *cobra.Command) bool {
	bare, err := cmd.Flags().GetBool("no-descriptions")
	return err == nil && bare
}

// printGuarded prints a script in which guarded stands in the place of open.
func printGuarded(cmd *cobra.Command, script, open, guarded string) error {
	if strings.Count(script, open) != 1 {
		return errCompletionChanged
	}
	_, err := cmd.OutOrStdout().Write([]byte(strings.Replace(script, open, guarded, 1)))
	return err
}

// bashGuard stands behind the completion of bash that cobra makes. That evaluates the line as far as it was typed, so it
// is not let loose on one that would run or write something; and without the package bash-completion it would complain at
// each key.
const bashGuard = `
__hbjournal_complete()
{
    local word
    for word in "${COMP_WORDS[@]}"; do
        case $word in
            *'` + "`" + `'* | *'$('* | '<'* | '>'*) return ;;
        esac
    done
    if declare -F _get_comp_words_by_ref >/dev/null; then
        __start_hbjournal
    elif [[ -z ${__hbjournal_told-} ]]; then
        __hbjournal_told=1
        printf '\nhbjournal: completion needs the package bash-completion: install it and start a new shell\n' >&2
    fi
}

complete -o default -F __hbjournal_complete hbjournal
`
