// The theme's file of this name draws every icon of Font Awesome as SVG: 1.5 MB for each first visit. The theme's
// style sheet and font already draw the few that a page shows, so this empty file takes its place.
