package rig

import "fmt"

// ReadQR reads a QR code of a square of modules, true for dark (ISO/IEC 18004, versions 1 to 10, byte mode). The
// picture must be perfect: nothing is corrected. It shares no code with what draws our codes.
func ReadQR(dark [][]bool) (string, error) {
	size := len(dark)
	version := (size - 17) / 4
	if version < 1 || version > 10 || version*4+17 != size {
		return "", fmt.Errorf("%d modules wide", size)
	}
	bits := 0 // format: level and mask, around the top left corner
	for i, at := range [][2]int{{8, 0}, {8, 1}, {8, 2}, {8, 3}, {8, 4}, {8, 5}, {8, 7}, {8, 8}, {7, 8}, {5, 8}, {4, 8},
		{3, 8}, {2, 8}, {1, 8}, {0, 8}} {
		if dark[at[1]][at[0]] {
			bits |= 1 << i
		}
	}
	bits = (bits ^ 0x5412) >> 10
	level, mask := bits>>3, bits&7

	var words []byte
	read, word := 0, byte(0)
	fixed := qrFixed(version, size)
	for right, up := size-1, true; right > 0; right, up = right-2, !up {
		if right == 6 { // the timing column
			right--
		}
		for i := range size {
			y := i
			if up {
				y = size - 1 - i
			}
			for _, x := range [2]int{right, right - 1} {
				if fixed(x, y) {
					continue
				}
				word <<= 1
				if dark[y][x] != qrMask(mask, x, y) {
					word |= 1
				}
				if read++; read%8 == 0 {
					words, word = append(words, word), 0
				}
			}
		}
	}
	return qrText(qrData(words, qrBlocks[level][version-1], qrCorrection[level][version-1]), version)
}

// Blocks, and words of correction in each, by level (as format bits count: M, L, H, Q) and version.
var (
	qrBlocks = [4][10]int{{1, 1, 1, 2, 2, 4, 4, 4, 5, 5}, {1, 1, 1, 1, 1, 2, 2, 2, 2, 4}, {1, 1, 2, 4, 4, 4, 5, 6, 8, 8},
		{1, 1, 2, 2, 4, 4, 6, 6, 8, 8}}

	qrCorrection = [4][10]int{{10, 16, 26, 18, 24, 16, 18, 22, 22, 26}, {7, 10, 15, 20, 26, 18, 20, 24, 30, 18},
		{17, 28, 22, 16, 22, 28, 26, 26, 24, 28}, {13, 22, 18, 26, 18, 24, 18, 22, 20, 24}}
)

// qrFixed reports whether a module carries no data: finders, timing, alignment, format and version.
func qrFixed(version, size int) func(x, y int) bool {
	centres, more := []int{6}, version/7+1 // version 1 has no alignment
	step := (version*4 + more*2 + 3) / (more * 2) * 2
	for n := range more {
		centres = append(centres, size-7-n*step)
	}
	last := size - 7
	return func(x, y int) bool {
		if x == 6 || y == 6 || x < 9 && y < 9 || x < 9 && y >= size-8 || x >= size-8 && y < 9 {
			return true
		}
		if version >= 7 && (x < 6 && y >= size-11 || y < 6 && x >= size-11) {
			return true
		}
		for _, cx := range centres {
			for _, cy := range centres {
				corner := cx == 6 && cy == 6 || cx == 6 && cy == last || cx == last && cy == 6
				if !corner && version > 1 && max(x-cx, cx-x) <= 2 && max(y-cy, cy-y) <= 2 {
					return true
				}
			}
		}
		return false
	}
}

func qrMask(mask, x, y int) bool {
	switch mask {
	case 0:
		return (x+y)%2 == 0
	case 1:
		return y%2 == 0
	case 2:
		return x%3 == 0
	case 3:
		return (x+y)%3 == 0
	case 4:
		return (x/3+y/2)%2 == 0
	case 5:
		return x*y%2+x*y%3 == 0
	case 6:
		return (x*y%2+x*y%3)%2 == 0
	}
	return ((x+y)%2+x*y%3)%2 == 0
}

// qrData puts the blocks, which take turns word by word, one behind the other. The first ones may be a word shorter.
func qrData(words []byte, blocks, correction int) []byte {
	data := len(words) - blocks*correction
	short, long := data/blocks, data%blocks
	out := make([][]byte, blocks)
	at := 0
	for i := range short + 1 {
		for b := range blocks {
			if (i < short || b >= blocks-long) && at < data {
				out[b] = append(out[b], words[at])
				at++
			}
		}
	}
	var all []byte
	for _, b := range out {
		all = append(all, b...)
	}
	return all
}

func qrText(data []byte, version int) (string, error) {
	at := 0
	take := func(n int) int {
		v := 0
		for range n {
			v <<= 1
			if at/8 < len(data) && data[at/8]>>(7-at%8)&1 == 1 {
				v |= 1
			}
			at++
		}
		return v
	}
	if mode := take(4); mode != 4 {
		return "", fmt.Errorf("mode %d is not bytes", mode)
	}
	count := 8
	if version > 9 {
		count = 16
	}
	text := make([]byte, take(count))
	for i := range text {
		text[i] = byte(take(8))
	}
	if at > len(data)*8 {
		return "", fmt.Errorf("%d bytes do not fit", len(text))
	}
	return string(text), nil
}
