package journal

import "slices"

// A Member is one member of a JSON object.
type Member struct {
	Name  string // without its quotes and escapes
	Value []byte // JSON text, part of the object's
}

// AppendMembers appends the members of object to dst, each name once and in the order in which the names first stand
// there. Of several members of one name the last one counts, as it does for a Lookup. What is no object has none, and what
// stops being one has those before that place.
func AppendMembers(dst []Member, object []byte) []Member {
	const few = 16 // up to which looking through them is faster than a map
	from := len(dst)
	var places map[string]int
	for m := membersOf(object); m.step(); {
		name, place := Text(m.name), none
		if places != nil {
			if i, ok := places[name]; ok {
				place = i
			}
		} else if i := slices.IndexFunc(dst[from:], func(other Member) bool { return other.Name == name }); i >= 0 {
			place = from + i
		}
		if place != none {
			dst[place].Value = m.value
			continue
		}
		dst = append(dst, Member{name, m.value})
		if places != nil {
			places[name] = len(dst) - 1
		} else if len(dst)-from > few {
			places = placesOf(dst, from)
		}
	}
	return dst
}

// placesOf are the indexes in members of the names from an index on.
func placesOf(members []Member, from int) map[string]int {
	places := make(map[string]int, 2*len(members))
	for i, m := range members[from:] {
		places[m.Name] = from + i
	}
	return places
}

// AppendElements appends the elements of array to dst, in their order: JSON texts, which are part of the array's. What is no
// array has none, and what stops being one has those before that place.
func AppendElements(dst [][]byte, array []byte) [][]byte {
	i := skipSpace(array, 0)
	if i == len(array) || array[i] != '[' {
		return dst
	}
	for {
		i = skipSpace(array, i+1)
		end := valueEnd(array, i, 1)
		if end == none {
			return dst
		}
		dst = append(dst, array[i:end])
		if i = skipSpace(array, end); i >= len(array) || array[i] != ',' {
			return dst
		}
	}
}
