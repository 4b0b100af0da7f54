# cmake -C scripts/cmake/tsan.cmake: ThreadSanitizer.
set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O1 -g" CACHE STRING "")
set(GR_SANITIZE thread CACHE STRING "")
