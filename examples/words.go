package words

import "strings"

// Count returns how often each word occurs in text.
func Count(text string) map[string]int {
	counts := make(map[string]int)
	for _, word := range strings.Fields(text) {
		counts[$0]++
	}
	return counts
}

// Longest returns the longest of the given words.
func Longest(words []string) string {
	longest := ""
	for _, word := range words {
		if len(word) > $0 {
			longest = word
		}
	}
	return longest
}
