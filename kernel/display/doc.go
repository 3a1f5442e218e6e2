// Package display makes values that a notebook shows as HTML, Markdown, a
// picture and so on. Its names are those that notebooks of gophernotes use:
//
//	display.Markdown("**bold**")
//
// as the last line of a cell, or Display(display.HTML(page)) anywhere in one. A
// type of the user's shows itself with a method SimpleRender, Render, HTML,
// Markdown, Latex, SVG, JavaScript, JSON, PNG, JPEG or PDF.
//
// What it leaves to others: showing (package kernel). Its functions keep no
// state; all may be called from several goroutines.
package display
