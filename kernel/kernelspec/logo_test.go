package kernelspec

import (
	"bytes"
	"encoding/xml"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/image/vector"
)

var update = flag.Bool("update", false, "draw the PNG logos from the SVG")

// draw rasterises an SVG that consists of filled paths with the commands M, L, C
// and Z in absolute coordinates, which is all our logo uses.
func draw(svg []byte, size int) (*image.RGBA, error) {
	var doc struct {
		ViewBox string `xml:"viewBox,attr"`
		Paths   []struct {
			Fill string `xml:"fill,attr"`
			D    string `xml:"d,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal(svg, &doc); err != nil {
		return nil, err
	}
	var x, y, w, h float32
	if _, err := fmt.Sscan(doc.ViewBox, &x, &y, &w, &h); err != nil || x != 0 || y != 0 || w != h {
		return nil, fmt.Errorf("viewBox %q: %w", doc.ViewBox, err)
	}
	img := image.NewRGBA(image.Rect(0, 0, size, size))
	for _, p := range doc.Paths {
		var fill color.RGBA
		if _, err := fmt.Sscanf(p.Fill, "#%02x%02x%02x", &fill.R, &fill.G, &fill.B); err != nil {
			return nil, fmt.Errorf("fill %q: %w", p.Fill, err)
		}
		fill.A = 255
		r := vector.NewRasterizer(size, size)
		if err := trace(r, p.D, float32(size)/w); err != nil {
			return nil, fmt.Errorf("path %q: %w", p.D, err)
		}
		r.Draw(img, img.Bounds(), image.NewUniform(fill), image.Point{})
	}
	return img, nil
}

func trace(r *vector.Rasterizer, d string, scale float32) error {
	for len(d) > 0 {
		cmd := d[0]
		end := strings.IndexAny(d[1:], "MLCZ") + 1
		if end == 0 {
			end = len(d)
		}
		var v []float32
		for _, s := range strings.Fields(d[1:end]) {
			f, err := strconv.ParseFloat(s, 32)
			if err != nil {
				return err
			}
			v = append(v, float32(f)*scale)
		}
		d = d[end:]
		switch {
		case cmd == 'M' && len(v) == 2:
			r.MoveTo(v[0], v[1])
		case cmd == 'L' && len(v) == 2:
			r.LineTo(v[0], v[1])
		case cmd == 'C' && len(v) == 6:
			r.CubeTo(v[0], v[1], v[2], v[3], v[4], v[5])
		case cmd == 'Z' && len(v) == 0:
			r.ClosePath()
		default:
			return fmt.Errorf("command %c with %d numbers", cmd, len(v))
		}
	}
	return nil
}

// TestLogos: the PNGs are the SVG. Pixels may differ by a little, because the
// rasteriser's arithmetic is not the same on every processor.
func TestLogos(t *testing.T) {
	svg, err := logos.ReadFile("logos/logo-svg.svg")
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{32, 64} {
		want, err := draw(svg, size)
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("logo-%dx%d.png", size, size)
		if *update {
			var b bytes.Buffer
			if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, want); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join("logos", name), b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		data, err := logos.ReadFile("logos/" + name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := png.Decode(bytes.NewReader(data))
		if err != nil || got.Bounds() != want.Bounds() {
			t.Fatalf("%s: %v, %v", name, got.Bounds(), err)
		}
		for y := range size {
			for x := range size {
				r, g, b, a := got.At(x, y).RGBA()
				wr, wg, wb, wa := want.At(x, y).RGBA()
				for _, d := range []int{int(r) - int(wr), int(g) - int(wg), int(b) - int(wb), int(a) - int(wa)} {
					if d > 0x400 || d < -0x400 {
						t.Fatalf("%s differs from the SVG at (%d, %d)", name, x, y)
					}
				}
			}
		}
	}
}
