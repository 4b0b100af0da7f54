# gr_place_below(VARIABLE PREFIX DIRECTORY): where a directory of an installation at PREFIX is. What would be in
# /usr/etc is in /etc.
function(gr_place_below variable prefix directory)
  cmake_path(ABSOLUTE_PATH directory BASE_DIRECTORY "${prefix}" NORMALIZE OUTPUT_VARIABLE place)
  string(REGEX REPLACE "^/usr/etc/" "/etc/" place "${place}")
  set(${variable} "${place}" PARENT_SCOPE)
endfunction()
