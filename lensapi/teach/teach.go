package teach

import (
	"embed"
	"io/fs"
)

// files lists each file by name, so that a stray file in the folder is never shipped.
//
//go:embed teach/config.json teach/model.safetensors teach/tokenizer.json teach/tokenizer_config.json teach/PROVENANCE.json
var files embed.FS

// FS returns the embedded checkpoint folder: the files lie at its root. It costs nothing and always succeeds.
func FS() fs.FS {
	sub, err := fs.Sub(files, "teach")
	if err != nil {
		// "teach" is a constant and a valid path, so fs.Sub cannot fail.
		panic("teach: " + err.Error())
	}
	return sub
}
