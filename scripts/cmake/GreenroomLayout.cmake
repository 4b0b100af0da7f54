# Where things go on an installed system. Paths are relative to the prefix, so that `cmake --install --prefix` and
# DESTDIR both work after any configure: the program finds them from where it stands (core/base/place.h), and
# gr_place_below() in greenroom-place.cmake is the same rule for the files that are written at install time.
include(GNUInstallDirs)

set(GR_PLUGINDIR ${CMAKE_INSTALL_LIBDIR}/greenroom/plugins CACHE STRING "Directory of the plugins")
set(GR_CONFDIR ${CMAKE_INSTALL_SYSCONFDIR}/greenroom CACHE STRING "Directory of the configuration")
set(GR_DATADIR ${CMAKE_INSTALL_DATADIR}/greenroom)
