package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// checkVariables doubts variables that are one of ours but for a slip: they would have no effect, and nobody would know.
func (l *loader) checkVariables() {
	for _, name := range slices.Sorted(maps.Keys(l.src.Environ)) {
		if l.src.Environ[name] == "" {
			continue
		}
		if meant := meantVariable(name); meant != "" && l.needs(strings.ToLower(meant)) {
			l.doubt(Origin{Source: FromEnv, Name: name}, fmt.Sprintf("unknown variable; did you mean %s?", meant))
		}
	}
}

// foreign matches what others set that looks like ours: Kubernetes and docker for a service whose name begins like our
// variables, and systemd.
var foreign = regexp.MustCompile(`_SERVICE_(HOST|PORT(_.*)?)$|_PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$|^JOURNAL_STREAM$`)

// meantVariable returns the variable that name was most likely meant to be, or "" if it is one of ours or somebody else's.
func meantVariable(name string) string {
	known := []string{"CONFIG_FILE"}
	for _, k := range Keys() {
		known = append(known, k.Var)
	}
	if slices.Contains(known, name) || foreign.MatchString(name) {
		return ""
	}
	word := strings.ReplaceAll(strings.ToUpper(name), "-", "_")
	for _, prefix := range []string{"HBJOURNAL_", "HBD_", "HB_"} {
		if rest, ok := strings.CutPrefix(word, prefix); ok && slices.Contains(known, rest) {
			return rest
		}
	}
	best, least := "", len(word)
	for _, k := range known {
		if d := slip(word, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// slip is how far word is from the variable known, as somebody may have mistyped it; a great number if nobody would.
func slip(word, known string) int {
	const never = 1 << 20
	group, _, _ := strings.Cut(word, "_")
	knownGroup, _, _ := strings.Cut(known, "_")
	d := distance(word, known)
	switch {
	case strings.TrimSuffix(word, "_FILE") == known: // A secret in a file, as other images take it.
		return 0
	case strings.ReplaceAll(known, "_", "") == strings.ReplaceAll(word, "_", ""):
		return 0
	case strings.TrimPrefix(group, "HB") != knownGroup && distance(group, knownGroup) > max(1, len(knownGroup)/4):
		return never
	case knownGroup == "JOURNAL" && leavesOut(strings.Split(word, "_"), strings.Split(known, "_")):
		return 1
	case d <= max(1, len(word)/5):
		return d
	case spellsOut(word, known):
		return d
	}
	return never
}

// spellsOut reports whether the last word of known goes on in word, as in LISTEN_ADDRESS.
func spellsOut(word, known string) bool {
	rest, ok := strings.CutPrefix(word, known)
	return ok && !strings.HasPrefix(rest, "_")
}

// leavesOut reports whether words are some of those of known, two at least, in their order.
func leavesOut(words, known []string) bool {
	rest := known
	for _, word := range words {
		i := slices.Index(rest, word)
		if i < 0 {
			return false
		}
		rest = rest[i+1:]
	}
	return len(words) > 1
}
