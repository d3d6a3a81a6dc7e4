package chart

import (
	"fmt"
	"hash/fnv"
)

// hues is how many colours there are for names that have none of their own. The style sheet has one for each.
const hues = 12

// Color returns the colour of a message ID, as the end of the class names area-… and dot-… of the style sheet. It depends
// on nothing but the ID: the well-known ones and the empty one have a colour of their own, the rest share twelve.
func Color(id string) string {
	switch id {
	case "HTB", "PLG", "JRN":
		return id
	case "":
		return "none"
	}
	h := fnv.New32a()
	h.Write([]byte(id))
	return fmt.Sprint(h.Sum32() % hues)
}

// Others is the colour of all that have no series of their own.
const Others = "others"

// Hatch tells series of one colour apart: the second, third, … of them in all is hatched, each at another angle. It sets
// their Hatch.
func Hatch(all []Series) {
	seen := map[string]int{}
	for i := range all {
		all[i].Hatch = seen[all[i].Color]
		seen[all[i].Color]++
	}
}
