package cache

import (
	"errors"
	"fmt"
	"io/fs"
)

// The format's version. A new minor version can be read by older programs of the same major version.
const (
	formatMajor = 1
	formatMinor = 2
	versionFile = "VERSION"

	// formatLayouts marks the metadata of a conversation whose rows are stored in a way that format 1.0 does not know,
	// so that programs of that version refuse it, and only it.
	formatLayouts = 2
)

var versionText = fmt.Sprintf("gopherlens-cache %d.%d\n", formatMajor, formatMinor)

// readVersion checks VERSION; known is false if there is none, in a new folder.
func readVersion(d filesystem, dir string) (known bool, err error) {
	data, err := readSmall(d, versionFile, 64)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var major, minor int
	if _, err := fmt.Sscanf(string(data), "gopherlens-cache %d.%d\n", &major, &minor); err != nil {
		return false, &CorruptError{versionFile, 0, fmt.Errorf("%q is not a version", data)}
	}
	if major != formatMajor {
		return false, fmt.Errorf("cache folder %s: %w %d.%d; this program knows %d and leaves the folder as it is; use a newer program or another folder (--cache-dir, GOPHERLENS_CACHE_DIR)",
			dir, ErrVersion, major, minor, formatMajor)
	}
	return true, nil
}
