package regular

import (
	"fmt"
	"os"
)

// Others may write to what has this bit.
const othersWrite = 0o002

// Writable says which of the paths, or the folder that a file of them is in, every user of the machine can change. Such
// a file is not the operator's word. A folder with the sticky bit keeps others from replacing a file that is there, so
// only a folder whose new files count is unsafe with it.
func Writable(path string, folder bool) string {
	info, err := os.Stat(path)
	if err != nil || os.PathSeparator != '/' || info.Mode().Perm()&othersWrite == 0 {
		return ""
	}
	if info.IsDir() && !folder && info.Mode()&os.ModeSticky != 0 {
		return ""
	}
	return fmt.Sprintf("%s can be changed by every user of this machine (mode %04o); run: chmod o-w %s", path,
		info.Mode().Perm(), path)
}
