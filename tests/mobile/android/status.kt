package com.google.android.gms.common.api

object CommonStatusCodes {
    const val SUCCESS = 0
    const val TIMEOUT = 15
}

class Status(val statusCode: Int)
