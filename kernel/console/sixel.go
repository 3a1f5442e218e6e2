package console

import (
	"bytes"
	"fmt"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"io"

	"github.com/mattn/go-sixel"
	"golang.org/x/image/draw"
)

const (
	// maxPixels bounds the picture that is decoded to be shown.
	maxPixels = 1 << 24
	// A picture takes at most this much of a terminal, whose characters are taken to
	// be of the usual size.
	sixelWidth, sixelHeight = 800, 800
	charWidth               = 8
)

// sixel shows a picture as sixels, made smaller if the terminal would cut it. An
// error means that nothing was shown.
func (c *console) sixel(w io.Writer, picture []byte) error {
	conf, _, err := image.DecodeConfig(bytes.NewReader(picture))
	if err != nil {
		return err
	}
	if conf.Width <= 0 || conf.Height <= 0 || conf.Width > maxPixels/conf.Height {
		return fmt.Errorf("a picture of %d x %d pixels is too large for a terminal", conf.Width, conf.Height)
	}
	img, _, err := image.Decode(bytes.NewReader(picture))
	if err != nil {
		return err
	}
	width := sixelWidth
	if c.size != nil {
		if chars, _, err := c.size(); err == nil && chars > 0 {
			width = min(width, chars*charWidth)
		}
	}
	size := img.Bounds().Size()
	to := image.Rect(0, 0, size.X, size.Y)
	if size.X > width {
		to.Max = image.Pt(width, max(1, size.Y*width/size.X))
	}
	if to.Max.Y > sixelHeight {
		to.Max = image.Pt(max(1, to.Max.X*sixelHeight/to.Max.Y), sixelHeight)
	}
	small := image.NewRGBA(to)
	draw.ApproxBiLinear.Scale(small, to, img, img.Bounds(), draw.Src, nil)
	var b bytes.Buffer // whole or not at all
	e := sixel.NewEncoder(&b)
	e.Dither = true
	if err := e.Encode(small); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err = w.Write(b.Bytes())
	return err
}
