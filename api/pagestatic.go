package api

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/gin-gonic/gin"
)

//go:embed static/*.css static/*.js static/*.svg
var staticFiles embed.FS

// asset is a file that pages use. Its address holds a part of its hash: what has another content has another address, so that
// browsers may keep it for ever.
type asset struct {
	kind string
	body []byte
}

// assets are the files by the names in their addresses, and those addresses by the files' names.
type assets struct {
	served map[string]asset
	paths  map[string]string
}

func newAssets() (assets, error) {
	all := assets{map[string]asset{}, map[string]string{}}
	files, err := staticFiles.ReadDir("static")
	if err != nil {
		return all, err
	}
	for _, f := range files {
		body, err := staticFiles.ReadFile("static/" + f.Name())
		if err != nil {
			return all, err
		}
		sum, ending := sha256.Sum256(body), path.Ext(f.Name())
		name := strings.TrimSuffix(f.Name(), ending) + "." + hex.EncodeToString(sum[:6]) + ending
		all.served[name] = asset{mime.TypeByExtension(ending), body}
		all.paths[f.Name()] = "/static/" + name
	}
	return all, nil
}

// getStatic serves a file by the address that pages name it by.
func (s *server) getStatic(c *gin.Context) error {
	name, err := param(c, "file")
	if err != nil {
		return err
	}
	file, there := s.assets.served[name]
	if !there {
		return problem(http.StatusNotFound, "file_unknown", "没有这个文件，请刷新页面")
	}
	c.Header("Cache-Control", "public, max-age=31536000, immutable")
	c.Data(http.StatusOK, file.kind, file.body)
	return nil
}
