//go:build race

package cli

// raceDetector tells tests of memory and speed that they would measure the race detector.
const raceDetector = true
