package cli

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
